import path from 'node:path';
import { build } from 'esbuild';
import { bundle } from './e2e/bundle.ts';

/** Makes the bundle that users get, once, so that tests of the process run what is shipped. */
export default async function setup(): Promise<void> {
  await build({
    entryPoints: ['src/main.ts'],
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    external: ['google-auth-library', '@a2a-js/sdk', '@ai-sdk/openai-compatible'],
    splitting: true,
    outdir: path.dirname(bundle),
  });
}
