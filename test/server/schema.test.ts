import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import { published } from '../../src/server/mcp/schema.ts';
import { allTools } from '../../src/tools/index.ts';

const jsonOf = (schema: z.ZodObject) =>
  published(schema)['~standard'].jsonSchema.input({ target: 'draft-2020-12' }) as Record<string, unknown>;

describe.each(allTools.map((tool) => [tool.name, tool] as const))('the schemas of %s', (_name, tool) => {
  it.each([
    ['arguments', z.strictObject(tool.input)],
    ['result', tool.output],
  ])('of its %s name and require what the library says', (_what, schema) => {
    const ours = jsonOf(schema);
    const theirs = z.toJSONSchema(schema, { io: 'input' });
    expect(ours.required).toEqual(theirs.required);
    expect(ours.additionalProperties).toEqual(theirs.additionalProperties);
    const left = Object.keys(theirs.properties ?? {}).filter((name) => !(name in Object(ours.properties)));
    for (const name of left) expect(theirs.properties?.[name]).toMatchObject({ unpublished: true });
  });
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
  expect(jsonOf(schema)).toEqual({
    type: 'object',
    properties: {
      one: shown,
      maybe: shown,
      list: { type: 'array', items: shown },
      few: { type: 'array', items: shown, maxItems: 2, description: 'Two' },
    },
    required: ['one', 'list', 'few'],
  });
});
