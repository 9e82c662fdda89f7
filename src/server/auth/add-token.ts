import { randomBytes } from 'node:crypto';
import { type FileHandle, open, readFile, rename, rm, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SessionError } from '../../errors.ts';
import type { AccessScope } from '../../model/principal.ts';
import { parseTokens, tokenEntry } from './tokens.ts';

interface Entry {
  user: string;
  scopes: readonly AccessScope[];
  agents?: readonly string[] | undefined;
}

/**
 * Makes a random token, writes its entry into the file of `--auth-tokens`, and resolves to the token, which is stored
 * nowhere. A missing file is created. The file changes as a whole or not at all, only its owner can read it, and what
 * others add at the same time stays.
 * @throws SessionError INVALID_ARGUMENT when the file cannot be read or written, or is wrong
 */
export async function addToken(file: string, entry: Entry): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  const aside = `${file}.new`;
  try {
    while (!(await writeAlone(file, aside, { token, ...entry })));
  } catch (cause) {
    throw cause instanceof SessionError ? cause : notWritable(cause);
  }
  return token;
}

/** Milliseconds after which a file that is being written is one whose writer has died. */
const abandonedMs = 10_000;

/**
 * Writes the new content beside the file, where one at a time can: two who read the same tokens would lose one. False
 * when another has taken this for an abandoned one.
 */
async function writeAlone(file: string, aside: string, entry: Entry & { token: string }): Promise<boolean> {
  const handle = await openAlone(aside);
  try {
    await handle.writeFile(withEntry(await contentOf(file), entry));
    await handle.sync();
    const [mine, there] = await Promise.all([handle.stat(), stat(aside).catch(() => undefined)]);
    if (there?.ino !== mine.ino) return false;
    // Replaces the file as a whole, so that a server that reads it meanwhile never finds half of it, and lets the next in.
    await rename(aside, file);
    return true;
  } catch (cause) {
    await rm(aside, { force: true });
    throw cause;
  } finally {
    await handle.close();
  }
}

async function openAlone(aside: string): Promise<FileHandle> {
  for (;;) {
    try {
      return await open(aside, 'wx', 0o600);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
    }
    const seen = await stat(aside).catch(() => undefined);
    // A clock may have been ahead when it was made.
    if (seen !== undefined && Math.abs(Date.now() - seen.mtimeMs) > abandonedMs)
      await rm(aside, { force: true });
    else await sleep(20);
  }
}

function withEntry(before: string, { token, user, scopes, agents }: Entry & { token: string }): string {
  if (before.trim() !== '') parseTokens(before);
  const entries: unknown[] = before.trim() === '' ? [] : (JSON.parse(before.trim()) as unknown[]);
  entries.push({ ...tokenEntry(token, user), scopes, ...(agents === undefined ? {} : { agents }) });
  return `[\n${entries.map((item) => `  ${JSON.stringify(item)}`).join(',\n')}\n]\n`;
}

const notWritable = (cause: unknown): SessionError =>
  new SessionError('INVALID_ARGUMENT', 'The token file cannot be written.', {
    hint: 'Check its folder and permissions.',
    cause,
  });

async function contentOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw new SessionError('INVALID_ARGUMENT', 'The token file cannot be read.', {
      hint: 'Check its path and permissions.',
      cause,
    });
  }
}
