import { type Backend, required, type SessionRef } from '../backend/types.ts';
import { SessionError } from '../errors.ts';
import { counted } from '../model/plural.ts';
import type { Session } from '../model/session.ts';
import { splitState } from '../model/state.ts';
import { type Contents, lineWriter } from './json-lines.ts';
import { artifactsOf, latestArtifacts, pagesOf } from './source.ts';

export interface ExportOptions {
  /** Puts `user:` and `app:` keys into the session's state. */
  withSharedState?: boolean | undefined;
  signal?: AbortSignal | undefined;
  progress?(message: string): void;
}

/**
 * Writes a session as JSON Lines (docs/export-import.md). `write` resolves when it can take more, so that memory
 * holds at most a page of events or one artifact.
 * @throws SessionError ABORTED when the session was changed meanwhile
 */
export async function exportSession(
  backend: Backend,
  ref: SessionRef,
  write: (text: string) => Promise<void>,
  options: ExportOptions = {},
): Promise<void> {
  const get = required(backend.sessions?.get, backend, 'get a session');
  const list = required(backend.events?.list, backend, 'list events');
  const events = () => pagesOf((query) => list(ref, { ...query, order: 'asc', includeHidden: true }));
  const { session, openToolCalls } = await beginning(backend, ref, get);
  const contents: Contents = {
    events: session.eventCount ?? (await countOf(events())),
    artifacts: await countOf(latestArtifacts(backend, ref)),
  };
  const lines = lineWriter(write);
  await lines.session(
    options.withSharedState === true ? session : withOwnState(session),
    contents,
    openToolCalls,
  );
  const tell = () => {
    const { event, artifact } = lines.counts();
    options.progress?.(
      `Exported ${counted(event, 'event')} of ${contents.events} and ${counted(artifact, 'artifact version')}.`,
    );
  };
  for await (const event of events()) {
    // Events that were appended since the export began are not part of it.
    if (lines.counts().event === contents.events) break;
    if (options.signal?.aborted) throw cancelled();
    await lines.event(event);
    if (lines.counts().event % 100 === 0) tell();
  }
  if (lines.counts().event < contents.events) throw changedMeanwhile();
  // An export whose first line announces no artifacts must not contain any that were saved since it began.
  if (contents.artifacts > 0)
    for await (const content of artifactsOf(backend, ref)) {
      if (options.signal?.aborted) throw cancelled();
      await lines.artifact(content);
      tell();
    }
  await lines.end();
}

/** Looks at a session that is written to all the time, before the export does without its open tool calls. */
const mostLooks = 5;

/**
 * The session and its open tool calls, both of one moment. Where events are deleted, those that are left do not tell which
 * calls were answered.
 */
async function beginning(
  backend: Backend,
  ref: SessionRef,
  get: (ref: SessionRef) => Promise<Session>,
): Promise<{ session: Session; openToolCalls?: string[] }> {
  let session = await get(ref);
  for (let looks = 0; session.revision !== undefined && looks < mostLooks; looks += 1) {
    const calls = await backend.toolCalls?.list?.(ref);
    const now = await get(ref);
    if (now.revision === session.revision && calls !== undefined)
      return { session, openToolCalls: calls.map(({ id }) => id) };
    session = now;
  }
  return { session };
}

const withOwnState = (session: Session): Session => ({
  ...session,
  state: splitState(session.state ?? {}).session,
});

async function countOf(items: AsyncIterable<unknown>): Promise<number> {
  let count = 0;
  for await (const _ of items) count += 1;
  return count;
}

const cancelled = (): SessionError =>
  new SessionError('CANCELLED', 'The export was stopped.', {
    hint: 'Export again: the file that was written so far is incomplete.',
  });

const changedMeanwhile = (): SessionError =>
  new SessionError('ABORTED', 'Events of the session were deleted while it was exported.', {
    hint: 'Export again: the file that was written so far is incomplete.',
  });
