import { spawn } from 'node:child_process';
import { scratch } from '../scratch.ts';
import { bundle } from './bundle.ts';

export interface Ended {
  code: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  /** Milliseconds from the end of its stdin to its own. */
  took: number;
}

export interface RunOptions {
  stdin?: string;
  env?: Record<string, string>;
  /** Milliseconds to keep stdin open, from the first words of the process, or from its start when nobody hears them. */
  hold?: number;
  /** Milliseconds for which nobody reads its stdout. */
  readAfter?: number;
  /** Nobody reads its stderr, not even the system. */
  deaf?: boolean;
}

/** Runs the shipped bundle with a bare environment until it ends by itself. */
export function run(
  args: readonly string[],
  { stdin = '', env = {}, hold = 0, readAfter = 0, deaf = false }: RunOptions = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [bundle, ...args], {
    env: { PATH: process.env.PATH ?? '', HOME: scratch(), ...env },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString();
  });
  if (readAfter > 0) {
    child.stdout.pause();
    setTimeout(() => child.stdout.resume(), readAfter);
  }
  if (deaf) child.stderr.destroy();
  child.stdin.on('error', () => {});
  child.stdin.write(stdin);
  let ended = Date.now();
  let timer: NodeJS.Timeout | undefined;
  const endSoon = () => {
    timer ??= setTimeout(() => {
      ended = Date.now();
      child.stdin.end();
    }, hold);
  };
  if (hold === 0 || deaf) endSoon();
  else for (const output of [child.stdout, child.stderr]) output.once('data', endSoon);
  return new Promise((resolve) => {
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, took: Date.now() - ended });
    });
  });
}
