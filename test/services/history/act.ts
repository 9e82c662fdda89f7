import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import { SessionError } from '../../../src/errors.ts';
import type { Action, Line, Outcome, Seen } from './operation.ts';

export const refOf = (sessionId: string): SessionRef => ({ app: 'history', userId: 'ada', sessionId });

type Verbs = Required<Pick<Backend, 'sessions' | 'events'>>;

/** Does random things to the sessions until there are enough of them, and tells each before and after. */
export async function act(
  backend: Backend,
  sessions: readonly string[],
  worker: { name: string; seed: number; count: number },
  tell: (line: Line) => void,
): Promise<void> {
  const { name, seed, count } = worker;
  const random = generator(seed);
  const pick = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  const known = new Map<string, number>();
  /** Of events of this worker, not hidden yet. */
  const own = new Map<string, { id: string; text: string }[]>(sessions.map((session) => [session, []]));

  async function perform(session: string, action: Action): Promise<Outcome> {
    const verbs = backend as Verbs;
    const ref = refOf(session);
    switch (action.do) {
      case 'append': {
        const content = { role: 'user' as const, parts: [{ text: action.text }] };
        const appended = await verbs.events.append?.(ref, { author: 'ada', content });
        if (appended === undefined) throw new Error('There is no append.');
        own.get(session)?.push({ id: appended.event.id, text: action.text });
        return done(session, appended.session.revision);
      }
      case 'update': {
        const guard = { expectedRevision: action.expectedRevision };
        const updated = await verbs.sessions.update?.(
          ref,
          { displayName: `${action.expectedRevision}` },
          guard,
        );
        return done(session, updated?.revision);
      }
      case 'hide': {
        const event = own.get(session)?.find(({ text }) => text === action.text);
        own.set(session, own.get(session)?.filter((one) => one !== event) ?? []);
        await verbs.events.setVisibility?.(ref, event?.id ?? '', true);
        return { is: 'done' };
      }
      case 'read': {
        const seen = await look(backend, ref);
        known.set(session, seen.after);
        return { is: 'done', seen };
      }
      case 'fork': {
        const fork = await verbs.sessions.fork?.(ref, {});
        const seen = await look(backend, refOf(fork?.id ?? ''));
        return { is: 'done', seen };
      }
    }
  }

  function done(session: string, revision: number | undefined): Outcome {
    if (revision === undefined) throw new Error('There is no revision.');
    known.set(session, revision);
    return { is: 'done', revision };
  }

  function choose(session: string, number: number): Action {
    const chance = random();
    const mine = own.get(session) ?? [];
    if (chance < 0.45) return { do: 'append', text: `${name}-${number}` };
    if (chance < 0.6) return { do: 'update', expectedRevision: known.get(session) ?? 1 };
    if (chance < 0.7 && mine.length > 0) return { do: 'hide', text: pick(mine).text };
    return { do: chance < 0.73 ? 'fork' : 'read' };
  }

  for (let number = 0; number < count; number++) {
    const session = pick(sessions);
    const action = choose(session, number);
    const id = `${name}-${number}`;
    tell({ kind: 'begin', id, at: now(), session, action });
    const outcome = await perform(session, action).catch((error: unknown) =>
      outcomeOf(error, known, session),
    );
    tell({ kind: 'end', id, at: now(), outcome });
    if (outcome.is === 'unknown') await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** All events of a session and its revision. */
export async function look(backend: Backend, ref: SessionRef): Promise<Seen> {
  const { sessions, events } = backend as Verbs;
  const revision = async () => (await sessions.get?.(ref))?.revision ?? 0;
  const before = await revision();
  const all: Seen['events'] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await events.list?.(ref, { pageSize: 100, includeHidden: true, cursor });
    for (const event of page?.items ?? [])
      all.push({ text: event.content?.parts[0]?.text ?? '', hidden: event.hidden === true });
    cursor = page?.cursor;
    if (cursor === undefined) break;
  }
  return { before, after: await revision(), events: all };
}

function outcomeOf(error: unknown, known: Map<string, number>, session: string): Outcome {
  if (!(error instanceof SessionError)) throw error;
  if (error.code === 'UNAVAILABLE') return { is: 'unknown' };
  if (error.code !== 'ABORTED') throw error;
  const currentRevision = Number(error.details?.currentRevision);
  known.set(session, currentRevision);
  return { is: 'refused', currentRevision };
}

/** Milliseconds of the machine's own clock, which all of its processes share and nobody sets. */
const now = (): number => Number(process.hrtime.bigint()) / 1e6;

/** Mulberry32: random numbers that a seed repeats. */
function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
