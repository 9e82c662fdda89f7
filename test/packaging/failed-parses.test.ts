import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { build, type Plugin } from 'esbuild';
import { describe, expect, it } from 'vitest';
import { failedParses } from '../../scripts/failed-parses.ts';
import { scratch } from '../scratch.ts';

/** What a failed parse says, and bytes of the message that are still there after a small collection. */
const program = `
  import v8 from 'node:v8';
  import * as z from 'zod';
  const schema = z.object({ name: z.string() });
  const { success, error } = schema.safeParse({ name: 1 });
  const used = () => v8.getHeapStatistics().used_heap_size;
  const fail = (times) => {
    for (let i = 0; i < times; i += 1) schema.safeParse({ name: new Array(1000).fill(i) }).success;
    gc({ type: 'minor' });
    gc({ type: 'minor' });
  };
  fail(2000);
  gc();
  const before = used();
  fail(1000);
  const kept = (used() - before) / 1000;
  console.log(JSON.stringify({ success, real: error instanceof z.ZodError, issues: error.issues, kept }));
`;

async function answer(plugins: Plugin[]): Promise<{ kept: number }> {
  const folder = scratch();
  const [source, bundle] = [path.join(folder, 'source.mjs'), path.join(folder, 'bundle.mjs')];
  writeFileSync(source, program);
  await build({
    entryPoints: [source],
    outfile: bundle,
    bundle: true,
    format: 'esm',
    platform: 'node',
    nodePaths: ['node_modules'],
    plugins,
  });
  const output = execFileSync(process.execPath, ['--expose-gc', bundle], { encoding: 'utf8' });
  return JSON.parse(output) as { kept: number };
}

describe('failed parses in a bundle', () => {
  it('say what zod says, and keep nothing of the message', async () => {
    const { kept: keptByZod, ...theirs } = await answer([]);
    const { kept, ...ours } = await answer([failedParses]);
    expect(theirs).toMatchObject({ success: false, real: true });
    expect(ours).toEqual(theirs);
    expect(kept).toBeLessThan(500);
    // When zod itself lets go of it, scripts/failed-parses.ts has done its work.
    expect(keptByZod).toBeGreaterThan(4000);
  });
});
