import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm } from 'node:fs/promises';
import { SessionError } from '../../errors.ts';
import type { AccessScope } from '../../model/principal.ts';
import { parseTokens, tokenEntry } from './tokens.ts';

/**
 * Makes a random token, writes its entry into the file of `--auth-tokens`, and resolves to the token, which is stored
 * nowhere. A missing file is created. The file changes as a whole or not at all, and only its owner can read it.
 * @throws SessionError INVALID_ARGUMENT when the file cannot be read or written, or is wrong
 */
export async function addToken(
  file: string,
  entry: { user: string; scopes: readonly AccessScope[]; agents?: readonly string[] | undefined },
): Promise<string> {
  const token = randomBytes(32).toString('base64url');
  const before = await contentOf(file);
  if (before.trim() !== '') parseTokens(before);
  const entries: unknown[] = before.trim() === '' ? [] : (JSON.parse(before.trim()) as unknown[]);
  const { user, scopes, agents } = entry;
  entries.push({ ...tokenEntry(token, user), scopes, ...(agents === undefined ? {} : { agents }) });
  const text = `[\n${entries.map((item) => `  ${JSON.stringify(item)}`).join(',\n')}\n]\n`;
  // Renaming replaces the file as a whole, so that a server that reads it meanwhile never finds half of it.
  const aside = `${file}.${randomBytes(6).toString('hex')}.new`;
  try {
    const handle = await open(aside, 'wx', 0o600);
    try {
      await handle.writeFile(text);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(aside, file);
  } catch (cause) {
    await rm(aside, { force: true });
    throw new SessionError('INVALID_ARGUMENT', 'The token file cannot be written.', {
      hint: 'Check its folder and permissions.',
      cause,
    });
  }
  return token;
}

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
