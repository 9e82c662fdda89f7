/**
 * npm run build: makes dist/, the form in which the server is published.
 *
 *   npm run build -- page         only the session page, which a server run from its sources serves too
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { sdkSource } from './scripts/sdk-source.ts';
import { lazyBuiltins, sharedStartup, withoutValidator } from './scripts/startup.ts';
import { makeSchemas } from './src/server/mcp/built-schemas.ts';

/** Libraries that stay in node_modules: they are large, and few servers load them. */
export const external = [
  'google-auth-library',
  '@a2a-js/sdk',
  '@ai-sdk/openai-compatible',
  '@modelcontextprotocol/client',
  'undici',
  'pg',
  'redis',
];

const plugins = [lazyBuiltins, sharedStartup, withoutValidator, sdkSource];

/**
 * Bundles entries, by the names of their outputs, for Node.js, minified, into a folder. What few servers need
 * is loaded when it is needed: our own rooms as chunks beside the entries, and large libraries from
 * node_modules. `plain` leaves libraries as they are, to measure what they cost.
 */
export async function bundle(
  entries: Record<string, string>,
  outdir: string,
  { plain = false } = {},
): Promise<void> {
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
    plugins: plain ? [] : plugins,
    define: { BUILT_SCHEMAS: JSON.stringify(JSON.stringify(makeSchemas())) },
  });
}

/** Makes the session page: one HTML document that holds its script and styles and loads nothing. */
export async function buildPage(file: string): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: { page: 'src/page/main.tsx', style: 'src/page/page.css' },
    outdir: 'page',
    write: false,
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'iife',
    // All browsers since May 2024.
    target: ['chrome123', 'firefox121', 'safari17.5'],
    tsconfig: 'src/page/tsconfig.json',
    legalComments: 'none',
  });
  const textOf = (ending: string) => outputFiles.find(({ path: of }) => of.endsWith(ending))?.text ?? '';
  const html = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Sessions</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<style>${textOf('.css')}</style></head>
<body><noscript>This page needs JavaScript.</noscript><div id="page"></div><script>${textOf('.js')}</script></body></html>
`;
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, html);
}

/** Puts the skills beside the server that serves them. */
export function copySkills(outdir: string): void {
  cpSync('skills', `${outdir}/skills`, { recursive: true });
}

/** What is published: the launcher that hosts start, the server, and the subpaths with their types. */
async function release(outdir: string): Promise<void> {
  await bundle({ main: 'src/main.ts', keyv: 'src/adapters/keyv.ts' }, outdir);
  await buildPage(`${outdir}/page.html`);
  copySkills(outdir);
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

if (process.argv[1] === fileURLToPath(import.meta.url))
  await (process.argv[2] === 'page' ? buildPage('dist/page.html') : release('dist'));
