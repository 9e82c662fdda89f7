import { describe, expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import { openStore } from '../../../src/store/open.ts';
import type { Store } from '../../../src/store/types.ts';
import { killedAfter } from './killed-store.ts';

const owner = { app: 'app', userId: 'ada' };
const hours = 60 * 60 * 1000;

type Verbs = Required<Backend>;

/** Everything that a caller can see, by the names of sessions: ids are random. */
async function view(backend: Verbs): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  const { items } = (await backend.sessions.list?.({ ...owner, pageSize: 100 })) ?? { items: [] };
  for (const { id, displayName } of items) {
    const ref = { ...owner, sessionId: id };
    const session = await backend.sessions.get?.(ref);
    const events = (await backend.events.list?.(ref, { pageSize: 1000, includeHidden: true }))?.items ?? [];
    const files = (await backend.artifacts.list?.(ref, { pageSize: 100 }))?.items ?? [];
    const contents = await Promise.all(files.map((file) => backend.artifacts.get?.(ref, file.name)));
    expect(events).toHaveLength(session?.eventCount ?? -1);
    seen[displayName ?? id] = {
      state: session?.state,
      events: events.map((event) => [event.content?.parts[0]?.text, event.hidden]),
      calls: (await backend.toolCalls.list?.(ref))?.map((call) => call.id),
      files: contents.map((content) => [content?.artifact.name, content?.data.toString()]),
    };
  }
  const memories = await backend.memory.list?.(owner, { pageSize: 1000 });
  seen.memories = memories?.items.map((memory) => memory.fact).sort();
  seen.apps = (await backend.apps.list?.({ pageSize: 100 }))?.items.map((app) => app.name);
  return seen;
}

/** Keys inside sessions that no session has, and places in lists and calendars without a session. */
async function orphans(store: Store): Promise<string[]> {
  const rows = await store.range({ prefix: '', limit: 100_000 });
  const heads = rows
    .filter((row) => row.key.startsWith('s/'))
    .map((row) => JSON.parse(row.value) as { uid: string; id: string });
  const uids = new Set(heads.map((head) => head.uid));
  const ids = new Set(heads.map((head) => head.id));
  return rows
    .map((row) => row.key)
    .filter((key) => {
      const parts = key.split('/');
      if (parts[0] === 'x') return !uids.has(parts[1] ?? '');
      return /^(lu|lc|mu|mc|z)$/.test(parts[0] ?? '') ? !ids.has(parts.at(-1) ?? '') : parts[0] === 't';
    });
}

interface Scenario {
  act(
    backend: Verbs,
    refs: { small: SessionRef; large: SessionRef },
    local: { store: Store; now(): number },
  ): Promise<unknown>;
  /** A caller sees a part of it while it goes on, whole session by whole session or fact by fact. */
  inParts?: boolean;
  /** The clock goes on by so much before it. */
  later?: number;
}

const scenarios: Record<string, Scenario> = {
  'fork of a whole session': { act: (b, { large }) => fork(b, large, {}) },
  'fork up to an event': {
    async act(b, { large }) {
      const page = await b.events.list?.(large, { pageSize: 100 });
      return fork(b, large, { upToEventId: page?.items.at(-1)?.id });
    },
  },
  'delete of a small session': { act: (b, { small }) => b.sessions.delete?.(small) ?? Promise.reject() },
  'delete of a large session': { act: (b, { large }) => b.sessions.delete?.(large) ?? Promise.reject() },
  'delete and create under the same id': {
    async act(b, { large }) {
      await b.sessions.delete?.(large);
      await b.sessions.create?.(owner, { sessionId: large.sessionId, displayName: 'large' });
    },
    inParts: true,
  },
  'delete of an event': {
    async act(b, { large }) {
      const page = await b.events.list?.(large, { pageSize: 3 });
      await b.events.delete?.(large, page?.items[2]?.id ?? '');
    },
  },
  'add to memory': {
    act: (b, { large }) => b.memory.addSession?.(large, {}) ?? Promise.reject(),
    inParts: true,
  },
  'save of an artifact': {
    act: (b, { small }) =>
      b.artifacts.save?.(small, { name: 'new.txt', mimeType: 'text/plain', data: Buffer.from('new') }) ??
      Promise.reject(),
  },
  'delete of the app': {
    act: (b) => b.apps.delete?.('app', { force: true }) ?? Promise.reject(),
    inParts: true,
  },
  'sweep of expired sessions': { act: (_b, _refs, local) => maintain(local), later: 30 * 24 * hours },
  'sweep of what deletes left': {
    async act(b, { large }, local) {
      await b.sessions.delete?.(large);
      await maintain(local);
    },
    inParts: true,
  },
};

const fork = (b: Verbs, ref: SessionRef, more: object) =>
  b.sessions.fork?.(ref, { displayName: 'fork', ...more }) ?? Promise.reject();

describe('a process that is killed after any of its commits', () => {
  it.each(Object.entries(scenarios))(
    'leaves nothing half done: %s',
    async (_name, scenario) => {
      const start = Date.parse('2026-11-21T09:00:00.000Z');
      let clock = start;
      const now = () => clock;
      const open = (store: Store) => openLocal({ store: { ...store, close: async () => {} }, now }) as Verbs;
      const empty = () => openStore({ url: 'memory:', durability: 'normal', dataDir: '' });
      const template = await empty();
      const first = open(template);
      const refs = await fill(first, clock);
      await first.close();
      const image = await template.range({ prefix: '', limit: 100_000 });
      await template.close();
      for (let commits = 0, done = false; !done; commits += 1) {
        expect(commits).toBeLessThan(200);
        const disk = await empty();
        await disk.update([], () => ({ result: undefined, writes: image }));
        clock = start + (scenario.later ?? 0);
        const onlooker = open(disk);
        const before = await view(onlooker);
        await onlooker.close();

        const process = killedAfter(disk, commits);
        const victim = open(process.store);
        const acknowledged = await scenario.act(victim, refs, { store: process.store, now }).then(
          () => true,
          () => false,
        );
        done = acknowledged && process.spare() > 0;
        await victim.close().catch(() => {});
        const next = open(disk);
        const atOnce = await view(next);
        await next.close();
        clock += 3 * hours;
        await maintain({ store: disk, now });
        const after = open(disk);
        const later = await view(after);
        // What can be seen once is not destroyed later, unless it expires.
        if (scenario.later === undefined) expect(later).toEqual(atOnce);
        for (const [name, session] of Object.entries(later)) {
          if (name === 'memories' || name === 'apps') continue;
          // A session is whole, or not there.
          if (name === 'fork')
            expect(session).toEqual({
              ...(before.large as object),
              events: (session as { events: unknown[] }).events,
            });
          else if (
            !acknowledged &&
            scenario.inParts !== true &&
            Object.hasOwn(later, name) &&
            session !== undefined
          )
            expect([before[name], undefined]).toContainEqual(session);
        }
        expect(await orphans(disk)).toEqual([]);
        // It goes on being usable.
        for (const { id } of (await after.sessions.list?.({ ...owner, pageSize: 100 }))?.items ?? [])
          await after.events.append?.(
            { ...owner, sessionId: id },
            { author: 'user', content: { parts: [{ text: 'on' }] } },
          );
        clock += 3 * hours;
        await maintain({ store: disk, now });
        expect(Object.keys(await view(after))).toEqual(Object.keys(later));
        await after.close();
        await disk.close();
      }
    },
    120_000,
  );
});

/** Two sessions, one of them larger than what one commit copies or deletes, and one that will expire. */
async function fill(backend: Verbs, clock: number): Promise<{ small: SessionRef; large: SessionRef }> {
  const make = async (displayName: string, more: object = {}): Promise<SessionRef> => {
    const session = await backend.sessions.create?.(owner, {
      displayName,
      state: { topic: displayName, 'user:u': 1 },
      ...more,
    });
    return { ...owner, sessionId: session?.id ?? '' };
  };
  const small = await make('small');
  const large = await make('large');
  const expiring = await make('expiring', { expireTime: new Date(clock + 24 * hours).toISOString() });
  for (const [ref, count] of [
    [small, 3],
    [large, 260],
    [expiring, 220],
  ] as const)
    for (let i = 0; i < count; i += 1)
      await backend.events.append?.(ref, {
        author: 'user',
        content: {
          parts: [{ text: `m${i}` }, ...(i === 1 ? [{ functionCall: { id: `c${i}`, name: 'f' } }] : [])],
        },
      });
  await backend.artifacts.save?.(large, { name: 'a.txt', mimeType: 'text/plain', data: Buffer.from('one') });
  await backend.artifacts.save?.(large, { name: 'a.txt', mimeType: 'text/plain', data: Buffer.from('two') });
  return { small, large };
}
