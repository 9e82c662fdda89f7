import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const here = import.meta.dirname;
const entry = path.join(here, 'node_modules/@google/adk-devtools/dist/esm/cli_entrypoint.js');

export interface RealAdk {
  url: string;
  /** What it wrote so far, for a test that fails. */
  log(): string;
  stop(): Promise<void>;
}

/**
 * Starts `adk api_server` of @google/adk-devtools in its own process, on a port that the system chooses, with
 * the agents of a folder here. Node is called directly: killing a wrapper would leave the server behind.
 */
export async function startReal(
  folder = 'agents',
  { port = 0, more = [] }: { port?: number; more?: string[] } = {},
): Promise<RealAdk> {
  const args = [entry, 'api_server', path.join(here, folder), '--host', '127.0.0.1', '--port', String(port)];
  const child = spawn(
    process.execPath,
    [...args, '--compile', 'false', '--bundle', 'false', '--log_level', 'error', ...more],
    { cwd: here, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => {
    output += chunk;
  });
  const url = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no address after 30 s: ${output}`)), 30_000);
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk;
      // The banner is printed at every log level, in a box.
      const found = /access at (http:\/\/127\.0\.0\.1:\d+)/.exec(output)?.[1];
      if (found === undefined) return;
      clearTimeout(late);
      resolve(found);
    });
    child.once('exit', (code) => reject(new Error(`adk api_server ended with ${code}: ${output}`)));
  });
  return { url, log: () => output, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  await gone;
}
