import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import * as z from 'zod';
import { invalidArgument, quote, SessionError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { checkId } from '../../model/ids.ts';
import { accessScopes, type Principal } from '../../model/principal.ts';
import { principalOf } from './scopes.ts';

/**
 * The file of `--auth-tokens`: a JSON array with one entry for each token. It contains only the SHA-256 of a token in
 * hex, so a token must be random (`openssl rand -base64 32`) and not a password.
 */
const fileSchema = z.array(
  z.strictObject({
    sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lowercase hex digits'),
    user: z.string(),
    scopes: z.array(z.enum(accessScopes)).min(1),
    /** The authors as which the token may write and take turns; absent: any. */
    agents: z.array(z.string().min(1)).min(1).optional(),
    /** What events say of who wrote them; absent: the user. */
    name: z.string().min(1).max(100).optional(),
    /** RFC 3339; from then on the token is refused. */
    expires: z.iso.datetime({ offset: true }).optional(),
    /** For people: whose token it is, and why. */
    note: z.string().optional(),
  }),
);

/** A caller with a valid token. */
export interface Caller {
  principal: Principal;
}

interface Entry {
  hash: Buffer;
  principal: Principal;
  expires: number;
}

/** Milliseconds between two checks of the file, for which a removed token stays valid. */
const lookMs = 1000;

const hashToken = (token: string): Buffer => createHash('sha256').update(token).digest();

/**
 * An entry of the file for a token.
 * @throws SessionError INVALID_ARGUMENT for one that is too short to be random
 */
export function tokenEntry(token: string, user: string): object {
  if (token.length < 22 || !/^[\w.~+/-]+=*$/.test(token))
    throw invalidArgument(
      'The token is too short, or has characters that a bearer token cannot have.',
      'Use at least 22 random characters; `openssl rand -base64 32` makes such a token.',
    );
  return {
    sha256: hashToken(token).toString('hex'),
    user,
    scopes: ['sessions:read', 'sessions:write'],
  };
}

/**
 * Opens a check of bearer tokens against a file, or against the same JSON given inline. When a token comes, a changed
 * file is read again. A file that became empty or was deleted revokes all tokens. While a changed file cannot be read
 * or is wrong, the earlier entries stay valid, the log says so, and the file is tried again.
 * @throws SessionError INVALID_ARGUMENT when it cannot be read, is wrong or has no entry at the start
 */
export async function openTokens(
  source: string,
  log: Log,
  now: () => number = Date.now,
): Promise<(token: string) => Promise<Caller | undefined>> {
  if (source.trimStart().startsWith('[')) {
    const entries = atLeastOne(parseTokens(source));
    return async (token) => find(entries, token, now());
  }
  let mark = await markOf(source);
  let entries = atLeastOne(parseTokens(await read(source)));
  let lookedAt = now();
  let looking: Promise<void> | undefined;
  let complaint: string | undefined;

  async function look(): Promise<void> {
    try {
      // The mark is taken before reading, so that a write in between is noticed at the next check.
      const current = await markOf(source);
      if (current === mark) return;
      const text = current === gone ? '' : await read(source);
      entries = text.trim() === '' ? [] : parseTokens(text);
      mark = current;
      complaint = undefined;
      if (entries.length > 0) log.info('The token file was read again.', { entries: entries.length });
      else log.warn('The token file is empty or gone: every token is revoked.');
    } catch (error) {
      // Each fault is logged once, not at every check.
      if (String(error) === complaint) return;
      complaint = String(error);
      log.error('The token file changed and cannot be used; the entries read before stay valid.', { error });
    }
  }

  return async (token) => {
    if (now() - lookedAt >= lookMs) {
      lookedAt = now();
      looking = look().finally(() => {
        looking = undefined;
      });
    }
    // A call during the check waits for it, so that entries that were removed let nobody in.
    await looking;
    return find(entries, token, now());
  };
}

/** The entries of a file, or of the JSON given in its place. @throws SessionError INVALID_ARGUMENT */
export const readTokens = async (source: string): Promise<Entry[]> =>
  parseTokens(source.trimStart().startsWith('[') ? source : await read(source));

function atLeastOne(entries: Entry[]): Entry[] {
  if (entries.length > 0) return entries;
  throw invalidArgument(
    '--auth-tokens has no entry, so no client could connect.',
    'Add one with: agent-sessions-mcp add-token FILE',
  );
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    throw new SessionError('INVALID_ARGUMENT', 'The file of --auth-tokens cannot be read.', {
      hint: 'Check its path and permissions.',
      cause,
    });
  }
}

const gone = 'gone';

/** A text that changes when the file is replaced, written or deleted. */
async function markOf(file: string): Promise<string> {
  try {
    const { mtimeNs, size, ino } = await stat(file, { bigint: true });
    return `${mtimeNs} ${size} ${ino}`;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return gone;
    throw error;
  }
}

/** @throws SessionError INVALID_ARGUMENT that names the wrong entry, but not its content */
export function parseTokens(text: string): Entry[] {
  const hint =
    'Write a JSON array of {"sha256", "user", "scopes"}; agent-sessions-mcp add-token adds entries.';
  let content: unknown;
  try {
    // Trimming takes a byte order mark away, too, which some editors write.
    content = JSON.parse(text.trim());
  } catch {
    throw invalidArgument('The content of --auth-tokens is not JSON.', hint);
  }
  const parsed = fileSchema.safeParse(content);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw invalidArgument(
      `The content of --auth-tokens is wrong at ${quote(issue?.path.join('.') || 'its top')}.`,
      hint,
    );
  }
  const entries = parsed.data.map(({ sha256, user, scopes, agents, name, expires }) => ({
    hash: Buffer.from(sha256, 'hex'),
    principal: principalOf(checkId('user', user), scopes, { agents, name }),
    expires: expires === undefined ? Number.POSITIVE_INFINITY : Date.parse(expires),
  }));
  if (new Set(parsed.data.map((entry) => entry.sha256)).size < entries.length)
    throw invalidArgument('--auth-tokens has the same token twice.', 'Give every entry its own token.');
  return entries;
}

// Every entry is compared, each in constant time, so that the time taken does not depend on the token.
function find(entries: readonly Entry[], token: string, now: number): Caller | undefined {
  const hash = hashToken(token);
  let found: Entry | undefined;
  for (const entry of entries) if (timingSafeEqual(entry.hash, hash)) found = entry;
  return found === undefined || found.expires <= now ? undefined : { principal: found.principal };
}
