import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { listedSchemas } from '../../src/server/mcp/built-schemas.ts';
import { published } from '../../src/server/mcp/schema.ts';
import { allTools, catalogue } from '../../src/tools/index.ts';
import { memoryBackend } from '../tools/harness.ts';

const jsonOf = (schema: z.ZodObject, kind: 'input' | 'output') => published(schema.shape, kind);

describe.each(allTools.map((tool) => [tool.name, tool] as const))('the schemas of %s', (_name, tool) => {
  it.each([
    ['arguments', 'input', z.strictObject(tool.input())],
    ['result', 'output', tool.output()],
  ] as const)('of its %s name what the library says, and require it of arguments', (_what, kind, schema) => {
    const ours = jsonOf(schema, kind);
    const theirs = z.toJSONSchema(schema, { io: 'input' });
    expect(ours.required).toEqual(kind === 'input' ? theirs.required : undefined);
    expect(ours.additionalProperties).toEqual(theirs.additionalProperties);
    const left = Object.keys(theirs.properties ?? {}).filter((name) => !(name in Object(ours.properties)));
    for (const name of left) expect(theirs.properties?.[name]).toMatchObject({ unpublished: true });
  });
});

it.each([
  ['users', false, 1],
  ['admins', true, 1],
  ['admins, where there are two backends', true, 2],
])('what is listed for %s is what a call is held to', async (_whom, admin, count) => {
  const backend = await memoryBackend();
  const backends = [backend, { ...backend, name: 'other' }].slice(0, count);
  const toolsets = ['sessions', 'events', 'memory', 'query', 'apps'] as const;
  const listed = catalogue({ backends, toolsets, readOnly: false, admin });
  expect(listed.length).toBeGreaterThan(20);
  for (const one of listed)
    expect(JSON.stringify(listedSchemas(one).input), one.tool.name).toBe(
      JSON.stringify(published(one.input().shape, 'input')),
    );
  const names = (tool: string) =>
    Object.keys(listed.find((one) => one.tool.name === tool)?.input().shape ?? {});
  expect(names('fork_session').includes('toBackend')).toBe(count > 1);
  expect(names('get_session')).toEqual([
    ...['sessionId', 'view', 'app'],
    ...(admin ? ['userId'] : []),
    ...(count > 1 ? ['backend'] : []),
  ]);
  await backend.close();
});

it('of what is brief only its kind and its description are published, in lists too', () => {
  const brief = z.object({ a: z.string() }).meta({ brief: true, description: 'As elsewhere' });
  const shown = { type: 'object', description: 'As elsewhere' };
  const schema = z.object({
    one: brief,
    maybe: brief.optional(),
    list: z.array(brief),
    few: z.array(brief).max(2).describe('Two'),
  });
  expect(jsonOf(schema, 'input')).toEqual({
    type: 'object',
    properties: {
      one: shown,
      maybe: shown,
      list: { type: 'array', items: shown },
      few: { type: 'array', items: shown, description: 'Two' },
    },
    required: ['one', 'list', 'few'],
    additionalProperties: false,
  });
});
