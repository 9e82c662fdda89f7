import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { buildPage, bundle, copySkills } from '../build.ts';
import { bundle as file } from './e2e/bundle.ts';

/**
 * Makes what users get, once, so that tests of the process run what is shipped. Temporary files of all tests, and of the
 * processes that they start or kill, go into one folder, which is deleted after the run.
 */
export default async function setup(): Promise<() => void> {
  const folder = mkdtempSync(path.join(tmpdir(), 'test-'));
  // Postgres does not run as root, and must reach its own folder in here.
  chmodSync(folder, 0o711);
  process.env.TMPDIR = folder;
  await bundle({ main: 'src/main.ts' }, path.dirname(file));
  await buildPage(path.join(path.dirname(file), 'page.html'));
  copySkills(path.dirname(file));
  return () => rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
}
