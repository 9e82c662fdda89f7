/** npm run build: makes dist/, the form in which the server is published. */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Libraries that stay in node_modules: they are large, and few servers load them. */
export const external = [
  'google-auth-library',
  '@a2a-js/sdk',
  '@ai-sdk/openai-compatible',
  'undici',
  'redis',
];

/**
 * Bundles entries, by the names of their outputs, for Node.js, minified, into a folder. What few servers need
 * is loaded when it is needed: our own rooms as chunks beside the entries, and large libraries from
 * node_modules.
 */
export async function bundle(entries: Record<string, string>, outdir: string): Promise<void> {
  // The chunks' names change with their content; those of an earlier build would stay for ever.
  rmSync(outdir, { recursive: true, force: true });
  await build({
    entryPoints: entries,
    outdir,
    bundle: true,
    splitting: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node22',
    external,
  });
}

/** What is published: the launcher that hosts start, the server, and the subpaths with their types. */
async function release(outdir: string): Promise<void> {
  await bundle({ main: 'src/main.ts', keyv: 'src/adapters/keyv.ts' }, outdir);
  const launcher = `${outdir}/launcher.cjs`;
  copyFileSync('src/launcher.cjs', launcher);
  chmodSync(launcher, 0o755);
  const compiler = fileURLToPath(
    import.meta.resolve('typescript/package.json').replace('package.json', 'bin/tsc'),
  );
  execFileSync(process.execPath, [compiler, '-p', 'tsconfig.types.json', '--outDir', `${outdir}/types`], {
    stdio: 'inherit',
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await release('dist');
