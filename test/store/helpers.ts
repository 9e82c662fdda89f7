import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { openSqlite, type SqliteOptions } from '../../src/store/sqlite/index.ts';
import type { Store } from '../../src/store/types.ts';

/** A folder with a space in its name, which is deleted after the test. */
export function scratch(): string {
  const folder = mkdtempSync(join(tmpdir(), 'store test '));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** A store that is closed after the test. */
export async function opened(path: string, options: Partial<SqliteOptions> = {}): Promise<Store> {
  const store = await openSqlite({ path, durability: 'full', ...options });
  onTestFinished(() => store.close());
  return store;
}

/** Starts a script of fixtures/ as a process, which is killed after the test. */
export function start(script: string, ...args: string[]): ChildProcess {
  const file = fileURLToPath(new URL(`fixtures/${script}`, import.meta.url));
  // Node runs these scripts itself by removing their types; tsx would take longer to start.
  const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return child;
}

/** Runs a script to its end and resolves to its output. Rejects when it fails. */
export async function run(script: string, ...args: string[]): Promise<string> {
  const child = start(script, ...args);
  let printed = '';
  child.stdout?.on('data', (chunk) => {
    printed += chunk;
  });
  const code = await new Promise((resolve) => child.on('close', resolve));
  if (code !== 0) throw new Error(`${script} ended with ${code}`);
  return printed;
}
