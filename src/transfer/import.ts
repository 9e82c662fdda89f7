import { createHash } from 'node:crypto';
import type { ArrivingSession, Backend, Owner } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import type { Session } from '../model/session.ts';
import { type Contents, type Entry, type Header, lineReader } from './json-lines.ts';
import { numberedLines } from './numbered-lines.ts';
import { type ReplayResult, replay } from './replay.ts';

export interface ImportOptions {
  /** Replaces the id in the file. */
  sessionId?: string | undefined;
  /** Also sets the `user:` and `app:` keys of the file, for all sessions that share them. */
  withSharedState?: boolean | undefined;
  /** Ends the import and removes what it stored. */
  signal: AbortSignal;
  progress?(message: string): void;
}

/**
 * Creates a session from a file of `exportSession`, as a whole or not at all: an import that fails half-way is
 * deleted again. If the backend cannot hold what the file announces, nothing is created.
 * @throws SessionError INVALID_ARGUMENT that names the wrong line, UNIMPLEMENTED
 */
export async function importSession(
  backend: Backend,
  owner: Owner,
  input: AsyncIterable<Uint8Array>,
  options: ImportOptions,
): Promise<ReplayResult> {
  const file = await openFile(input);
  const { session, contents, openToolCalls } = file.header;
  checkCapable(backend, contents ?? (await file.peek()));
  const notes: string[] = [];
  const result = await replay(
    backend,
    owner,
    {
      session: { ...arriving(session, options.sessionId, notes), openToolCalls },
      items: file.entries(),
      state: () => session.state ?? {},
      hasEvents: (contents ?? (await file.peek())).events > 0,
      fingerprint: createHash('sha256').update(file.firstLine).digest('hex').slice(0, 32),
    },
    { ...options, onFailure: 'delete' },
  ).catch((error: unknown) => {
    throw file.placed(error);
  });
  return { ...result, losses: [...notes, ...result.losses] };
}

async function openFile(input: AsyncIterable<Uint8Array>) {
  const lines = numberedLines(input);
  const reader = lineReader();
  const first = await lines.next();
  const header: Header = first.done === true ? reader.empty() : reader.first(first.value);
  /** The number of the line that is being stored. */
  let storing: number | undefined;

  async function* read(): AsyncGenerator<Entry, void> {
    for await (const line of lines) {
      const entry = reader.next(line);
      if (entry === undefined) continue;
      storing = line.number;
      yield entry;
      storing = undefined;
    }
    reader.end();
  }

  const entries = read();
  let peeked: IteratorResult<Entry, void> | undefined;
  return {
    header,
    firstLine: first.done === true ? '' : first.value.text,
    /** The kind of the next line, for a file of format 1, whose first line does not announce what follows. */
    async peek(): Promise<Contents> {
      peeked ??= await entries.next();
      const kind = peeked.done === true ? undefined : peeked.value.kind;
      return { events: kind === 'event' ? 1 : 0, artifacts: kind === 'artifact' ? 1 : 0 };
    },
    async *entries(): AsyncGenerator<Entry, void> {
      if (peeked?.done === false) yield peeked.value;
      if (peeked?.done !== true) yield* entries;
    },
    /** Adds the number of the line to an error that is about its content. */
    placed(error: unknown): unknown {
      const about = ['INVALID_ARGUMENT', 'RESOURCE_EXHAUSTED', 'UNIMPLEMENTED'];
      if (storing === undefined || !(error instanceof SessionError) || !about.includes(error.code))
        return error;
      return new SessionError(error.code, `Line ${storing} cannot be stored: ${error.message}`, {
        hint: error.hint,
        retryAfter: error.retryAfter,
        details: error.details,
        cause: error.cause,
      });
    },
  };
}

function arriving(session: Session, sessionId: string | undefined, notes: string[]): ArrivingSession {
  const { id, displayName, labels, expireTime, createTime, forkedFrom } = session;
  const expired = expireTime !== undefined && Date.parse(expireTime) <= Date.now();
  if (expired) notes.push('expireTime was left out, since it has passed.');
  return {
    sessionId: sessionId ?? id,
    displayName,
    labels,
    expireTime: expired ? undefined : expireTime,
    createTime,
    forkedFrom,
  };
}

/** @throws SessionError UNIMPLEMENTED */
function checkCapable(backend: Backend, { events, artifacts }: Contents): void {
  const { transfer, sessions } = backend;
  if (transfer?.stage !== undefined) return;
  const refuse = (what: string): never => {
    throw new SessionError(
      'UNIMPLEMENTED',
      `The ${backend.name} backend cannot import ${what} of a session.`,
      {
        hint: 'Import into a backend that can, such as local. Nothing was imported.',
      },
    );
  };
  if (events > 0 && (backend.events?.append === undefined || sessions?.update === undefined))
    refuse('the events');
  if (artifacts > 0 && backend.artifacts?.save === undefined) refuse('the artifacts');
}
