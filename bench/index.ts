/**
 * Benchmarks: each compares things side by side in one run, and prints what it compares. These machines are
 * noisy, so read the ratios.
 *
 *   npm run bench                 the local server (several minutes)
 *   npm run bench -- NAME         one of the others, by the name of its file in this folder
 *   npm run bench -- figures      all of the local server, for docs/benchmarks.md
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const [name = 'local'] = process.argv.slice(2);
const file = new URL(`./${name}.ts`, import.meta.url);
if (!/^[a-z-]+$/.test(name) || !existsSync(fileURLToPath(file))) {
  process.stderr.write(`There is no benchmark ${JSON.stringify(name)}; see the files in bench/.\n`);
  process.exit(2);
}
const { default: run } = (await import(file.href)) as { default: () => Promise<void> };
await run();
