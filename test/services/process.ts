import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** A service that was started here. */
export interface Service {
  url: string;
  /** Ends it as its administrator would, and deletes its data. */
  stop(): Promise<void>;
}

/** What a service is started with, and cannot be had without. */
export interface Program {
  /** Its files, by name. */
  find: (name: string) => string | undefined;
}

/** Whom a program runs as that refuses to run as root. */
export interface Account {
  uid: number;
  gid: number;
}

/** An empty folder that the account may write to. */
export function folderFor(name: string, account?: Account): string {
  const folder = mkdtempSync(path.join(tmpdir(), `${name}-`));
  if (account !== undefined) chownSync(folder, account.uid, account.gid);
  return folder;
}

export const removeFolder = (folder: string): void => rmSync(folder, { recursive: true, force: true });

/** The account of the first of these users that there is, where we are root; undefined where we are not. */
export async function accountOf(...users: string[]): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const user of users) {
    const ids = await Promise.all(['-u', '-g'].map((what) => output('id', [what, user]).catch(() => '')));
    const [uid, gid] = ids.map(Number);
    if (uid !== undefined && gid !== undefined && uid > 0 && gid > 0) return { uid, gid };
  }
  throw new Error(`None of the users ${users.join(', ')} exists.`);
}

export async function output(command: string, args: readonly string[], account?: Account): Promise<string> {
  const { stdout } = await execute(command, args, { cwd: tmpdir(), ...account });
  return stdout.trim();
}

/** Looks for programs in these folders, then in those of PATH. */
export function programIn(...folders: readonly string[]): Program {
  const all = [...folders, ...(process.env.PATH ?? '').split(path.delimiter)];
  return {
    find: (name) => all.map((folder) => path.join(folder, name)).find((file) => existsSync(file)),
  };
}

/** Folders of a folder, none where it is not there. */
export function foldersIn(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder).map((name) => path.join(folder, name));
}

/** Installs Debian packages, where we are root on such a system. Their services are not started. */
export async function installDebian(...packages: string[]): Promise<void> {
  if (process.getuid?.() !== 0 || programIn().find('apt-get') === undefined)
    throw new Error(`Install it first: apt-get install ${packages.join(' ')}.`);
  // Runlevel 1: the packages' scripts start no server (invoke-rc.d(8)).
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' };
  await execute('apt-get', ['update', '-qq'], { env });
  await execute('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], {
    env,
    maxBuffer: 64 * 1024 * 1024,
  });
}

/** Starts a server that runs until it is ended. What it printed is in the error when it ends too early. */
export function startServer(command: string, args: readonly string[], account?: Account): ChildProcess {
  const child = spawn(command, args, { cwd: tmpdir(), stdio: ['ignore', 'pipe', 'pipe'], ...account });
  // Nobody reads it; a full pipe would stop the server.
  child.stdout?.resume();
  child.stderr?.resume();
  return child;
}

/** Tries until it succeeds, for as long as the server lives and at most 30 seconds. */
export async function untilUp(child: ChildProcess, look: () => Promise<unknown>): Promise<void> {
  let printed = '';
  const keep = (chunk: unknown) => {
    printed = `${printed}${chunk}`.slice(-4000);
  };
  child.stdout?.on('data', keep);
  child.stderr?.on('data', keep);
  const giveUp = performance.now() + 30_000;
  for (;;) {
    try {
      await look();
      return;
    } catch (cause) {
      if (child.exitCode !== null || performance.now() > giveUp)
        throw new Error(`${child.spawnfile} did not come up: ${printed}`, { cause });
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Resolves when the process has ended, after the signal if one is given. */
export async function ended(child: ChildProcess, signal?: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  if (signal !== undefined) child.kill(signal);
  await gone;
}
