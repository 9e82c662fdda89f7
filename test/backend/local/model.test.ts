import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import { maintain } from '../../../src/backend/local/maintenance.ts';
import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import { SessionError } from '../../../src/errors.ts';
import type { NewEvent } from '../../../src/model/event.ts';
import type { JsonObject } from '../../../src/model/json.ts';
import { openStore } from '../../../src/store/open.ts';
import type { Store } from '../../../src/store/types.ts';

/**
 * The semantics of sessions, said a second time in the plainest way: every event keeps a whole copy of the state
 * and of the open calls as they stood when it was accepted. Random operations must leave the backend as they
 * leave this. MODEL_RUNS sets how many runs there are.
 */
const runs = Number(process.env.MODEL_RUNS ?? 40);
const owner = { app: 'app', userId: 'ada' };

interface Entry {
  id: string;
  text: string;
  hidden: boolean;
  deleted: boolean;
  stateAfter: JsonObject;
  openAfter: readonly Call[];
  answeredAfter: readonly Call[];
  /** Rewound away: what it did is undone, even where it is shown again. */
  undone: boolean;
}

interface Call {
  id: string;
  long: boolean;
  madeBy: Entry;
}

interface Modelled {
  ref: SessionRef;
  state: JsonObject;
  log: Entry[];
  open: Call[];
  /** Calls answered since this session was made. */
  answered: Call[];
  artifacts: Map<string, string[]>;
  remembered: Set<Entry>;
  revision: number;
  expires: number | undefined;
  /** What takes the last rewinding back, while nothing has changed since. */
  undo?: { revision: number; take: () => void } | undefined;
}

const seen = (entry: Entry) => !entry.hidden && !entry.deleted;

class World {
  clock = Date.parse('2026-11-21T09:00:00.000Z');
  sessions: Modelled[] = [];
  gone: SessionRef[] = [];
  shared: JsonObject = {};
  facts = 0;
  made = 0;
  backend: Required<Backend>;
  readonly store: Store;

  constructor(store: Store) {
    this.store = store;
    this.backend = this.open();
  }

  open(): Required<Backend> {
    return openLocal({
      store: { ...this.store, close: async () => {} },
      now: () => this.clock,
    }) as Required<Backend>;
  }

  async reopen(): Promise<void> {
    await this.backend.close();
    this.backend = this.open();
  }

  delta(n: number): JsonObject {
    const value = this.made++;
    const all: JsonObject[] = [
      {},
      { a: value },
      { b: { deep: value }, a: null },
      { 'user:u': value },
      { c: value, 'app:p': value, 'temp:t': value },
      { a: value, b: value, c: value },
    ];
    return all[n % all.length] ?? {};
  }

  own(state: JsonObject): JsonObject {
    return Object.fromEntries(Object.entries(state).filter(([key]) => !key.includes(':')));
  }

  share(state: JsonObject): void {
    for (const [key, value] of Object.entries(state)) if (/^(user|app):/.test(key)) this.shared[key] = value;
  }

  async create(n: number): Promise<void> {
    const state = this.delta(n);
    const session = await this.backend.sessions.create?.(owner, { state });
    this.share(state);
    this.sessions.push({
      ref: { ...owner, sessionId: session?.id ?? '' },
      state: this.own(state),
      log: [],
      open: [],
      answered: [],
      artifacts: new Map(),
      remembered: new Set(),
      revision: 1,
      expires: undefined,
    });
  }

  /** Appends an event and notes what it did. */
  async append(
    session: Modelled,
    input: Partial<NewEvent>,
    made: Omit<Call, 'madeBy'>[],
    ended: Call[],
  ): Promise<void> {
    const text = `m${this.made++}`;
    const event: NewEvent = {
      author: 'user',
      ...input,
      content: { role: 'user', parts: [{ text }, ...(input.content?.parts ?? [])] },
    };
    const answer = await this.backend.events.append?.(session.ref, event);
    this.note(session, answer?.event.id ?? '', text, input.actions?.stateDelta ?? {}, made, ended);
  }

  note(
    session: Modelled,
    id: string,
    text: string,
    delta: JsonObject,
    made: Omit<Call, 'madeBy'>[],
    ended: Call[],
  ): void {
    this.share(delta);
    session.state = { ...session.state, ...this.own(delta) };
    const entry: Entry = {
      id,
      text,
      hidden: false,
      deleted: false,
      stateAfter: session.state,
      openAfter: [],
      answeredAfter: [],
      undone: false,
    };
    session.open = [
      ...session.open.filter((call) => !ended.includes(call)),
      ...made.map((call) => ({ ...call, madeBy: entry })),
    ];
    session.answered = [...session.answered.filter((c) => !made.some((m) => m.id === c.id)), ...ended];
    entry.openAfter = session.open;
    entry.answeredAfter = session.answered;
    session.log.push(entry);
    session.revision += 1;
  }

  async fork(session: Modelled, upTo: Entry | undefined): Promise<void> {
    const fork = await this.backend.sessions.fork?.(session.ref, { upToEventId: upTo?.id });
    const ref = { ...owner, sessionId: fork?.id ?? '' };
    const ids = (await this.backend.events.list?.(ref, { pageSize: 1000, includeHidden: true }))?.items ?? [];
    const kept = session.log
      .slice(0, upTo === undefined ? undefined : session.log.indexOf(upTo) + 1)
      .filter(seen);
    const copies = new Map(kept.map((entry, i) => [entry, { ...entry, id: ids[i]?.id ?? '' }]));
    const carry = (calls: readonly Call[]) =>
      calls.flatMap((call) => {
        const madeBy = copies.get(call.madeBy);
        return madeBy === undefined ? [] : [{ ...call, madeBy }];
      });
    for (const copy of copies.values()) {
      copy.openAfter = carry(copy.openAfter);
      copy.answeredAfter = [];
      copy.undone &&= upTo === undefined;
    }
    this.sessions.push({
      ref,
      state: upTo === undefined ? session.state : upTo.stateAfter,
      log: [...copies.values()],
      open: carry(upTo === undefined ? session.open : upTo.openAfter),
      answered: [],
      artifacts: new Map([...session.artifacts].map(([name, versions]) => [name, [...versions]])),
      remembered: new Set(),
      revision: 1,
      expires: undefined,
    });
  }

  async rewind(session: Modelled, to: Entry): Promise<void> {
    const target = { eventId: to.id };
    if (to.undone)
      return this.refused(this.backend.sessions.rewind?.(session.ref, target), 'FAILED_PRECONDITION');
    const { state, open, answered } = session;
    const later = session.log.slice(session.log.indexOf(to) + 1);
    const were = later.map(({ hidden, undone }) => ({ hidden, undone }));
    const { events } = (await this.backend.sessions.rewind?.(session.ref, target)) ?? {};
    expect(events).toBe(later.filter(seen).length);
    for (const entry of later) Object.assign(entry, { hidden: true, undone: true });
    session.state = to.stateAfter;
    session.open = to.openAfter.filter((call) => !call.madeBy.deleted);
    session.answered = [...to.answeredAfter];
    session.revision += 1;
    session.undo = {
      revision: session.revision,
      take: () => {
        Object.assign(session, { state, open, answered });
        for (const [i, entry] of later.entries()) Object.assign(entry, were[i]);
      },
    };
  }

  async unwind(session: Modelled): Promise<void> {
    const attempt = this.backend.sessions.rewind?.(session.ref, { undo: true });
    if (session.undo?.revision !== session.revision) return this.refused(attempt, 'FAILED_PRECONDITION');
    await attempt;
    session.undo.take();
    session.undo = undefined;
    session.revision += 1;
  }

  async apply(kind: number, n: number, m: number): Promise<void> {
    this.clock += 1 + (m % 7);
    this.expire();
    const session = this.sessions[n % Math.max(1, this.sessions.length)];
    if (session === undefined) return this.create(m);
    const entry = session.log.filter((e) => !e.deleted)[m % Math.max(1, session.log.length)];
    const call = session.open[m % Math.max(1, session.open.length)];
    switch (kind) {
      case 0:
        return this.sessions.length < 6 ? this.create(m) : undefined;
      case 1:
      case 2:
        return this.append(session, { actions: { stateDelta: this.delta(m) } }, [], []);
      case 3: {
        const old = session.answered[m % Math.max(1, session.answered.length)];
        const id = m % 3 === 0 && old !== undefined ? old.id : `call-${this.made++}`;
        const long = m % 2 === 0;
        const input = {
          author: 'agent',
          content: { parts: [{ functionCall: { id, name: 'f' } }] },
          ...(long ? { longRunningToolIds: [id] } : {}),
          actions: { stateDelta: this.delta(m) },
        };
        if (session.open.some((c) => c.id === id))
          return this.refused(this.append(session, input, [], []), 'ALREADY_EXISTS');
        return this.append(session, input, [{ id, long }], []);
      }
      case 4: {
        const author = m % 2 === 0 ? 'agent' : 'user';
        const answered = session.answered.find((c) => !session.open.some((o) => o.id === c.id));
        const target = m % 4 === 3 ? answered : call;
        if (target === undefined) return;
        const input = {
          author,
          content: { parts: [{ functionResponse: { id: target.id, name: 'f', response: {} } }] },
        };
        if (target !== call) return this.refused(this.append(session, input, [], []), 'FAILED_PRECONDITION');
        return this.append(session, input, [], target.long && author === 'agent' ? [] : [target]);
      }
      case 5: {
        if (call === undefined) return;
        // The event of a call may be hidden: the call is listed all the same.
        const answer = await this.backend.toolCalls.submit?.(session.ref, [
          { toolCallId: call.id, output: {} },
        ]);
        return this.note(session, answer?.event.id ?? '', '', {}, [], [call]);
      }
      case 6: {
        const state = this.delta(m);
        await this.backend.sessions.update?.(session.ref, { state });
        this.share(state);
        session.state = this.own(state);
        session.revision += 1;
        return;
      }
      case 7: {
        if (entry === undefined) return;
        const hidden = m % 3 !== 0;
        await this.backend.events.setVisibility?.(session.ref, entry.id, hidden);
        entry.hidden = hidden;
        session.revision += 1;
        return;
      }
      case 8: {
        if (entry === undefined) return;
        await this.backend.events.delete?.(session.ref, entry.id);
        entry.deleted = true;
        session.open = session.open.filter((c) => c.madeBy !== entry);
        session.revision += 1;
        return this.refused(this.backend.events.get?.(session.ref, entry.id), 'NOT_FOUND');
      }
      case 9:
        if (m % 3 !== 0) return;
        await this.backend.sessions.delete?.(session.ref);
        this.sessions = this.sessions.filter((s) => s !== session);
        this.gone.push(session.ref);
        return;
      case 10:
        return this.fork(session, undefined);
      case 11:
        return this.fork(session, entry);
      case 12: {
        const name = `file-${m % 3}.txt`;
        const text = `v${this.made++}`;
        await this.backend.artifacts.save?.(session.ref, {
          name,
          mimeType: 'text/plain',
          data: Buffer.from(text),
        });
        session.artifacts.set(name, [...(session.artifacts.get(name) ?? []), text]);
        // Artifacts are not rewound.
        if (session.undo?.revision === session.revision) session.undo.revision += 1;
        session.revision += 1;
        return;
      }
      case 13: {
        const fresh = session.log.filter((e) => seen(e) && e.text !== '' && !session.remembered.has(e));
        const { count } = (await this.backend.memory.addSession?.(session.ref, {})) ?? {};
        expect(count).toBe(fresh.length);
        for (const one of fresh) session.remembered.add(one);
        this.facts += fresh.length;
        return;
      }
      case 14: {
        const expireTime = new Date(this.clock + 500).toISOString();
        await this.backend.sessions.update?.(session.ref, { expireTime });
        session.expires = this.clock + 500;
        session.revision += 1;
        return;
      }
      case 15:
        return entry === undefined ? undefined : this.rewind(session, entry);
      case 16:
        return this.unwind(session);
      default: {
        this.clock += 100 * (m % 4);
        await this.reopen();
        await maintain({ store: this.store, now: () => this.clock });
        this.expire();
      }
    }
  }

  expire(): void {
    const due = (s: Modelled) => s.expires !== undefined && s.expires <= this.clock;
    this.gone.push(...this.sessions.filter(due).map((s) => s.ref));
    this.sessions = this.sessions.filter((s) => !due(s));
  }

  async refused(attempt: Promise<unknown> | undefined, code: string): Promise<void> {
    const error = await Promise.resolve(attempt).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(SessionError);
    expect((error as SessionError).code).toBe(code);
  }

  async check(): Promise<void> {
    const { backend } = this;
    for (const session of this.sessions) {
      const { ref } = session;
      const read = await backend.sessions.get?.(ref);
      const visible = session.log.filter(seen);
      expect(read?.state).toEqual({ ...this.shared, ...session.state });
      expect(read?.eventCount).toBe(session.log.filter((e) => !e.deleted).length);
      expect(read?.revision).toBe(session.revision);
      expect(read?.lastEvent?.id).toBe(visible.at(-1)?.id);
      const shown = await backend.events.list?.(ref, { pageSize: 1000 });
      expect(shown?.items.map((e) => e.id)).toEqual(visible.map((e) => e.id));
      const all = await backend.events.list?.(ref, { pageSize: 1000, includeHidden: true, order: 'desc' });
      expect(all?.items.map((e) => [e.id, e.hidden === true])).toEqual(
        session.log
          .filter((e) => !e.deleted)
          .map((e) => [e.id, e.hidden])
          .reverse(),
      );
      const open = await backend.toolCalls.list?.(ref);
      expect(open?.map((c) => [c.id, c.eventId])).toEqual(session.open.map((c) => [c.id, c.madeBy.id]));
      const files = await backend.artifacts.list?.(ref, { pageSize: 100 });
      expect(files?.items.map((f) => [f.name, f.version])).toEqual(
        [...session.artifacts].map(([name, versions]) => [name, versions.length - 1]).sort(),
      );
      for (const [name, versions] of session.artifacts)
        for (const [version, text] of versions.entries())
          expect((await backend.artifacts.get?.(ref, name, version))?.data.toString()).toBe(text);
    }
    for (const ref of this.gone) await this.refused(backend.sessions.get?.(ref), 'NOT_FOUND');
    const listed = await backend.sessions.list?.({ ...owner, pageSize: 100 });
    const alive = this.sessions.filter((s) => s.expires === undefined || s.expires > this.clock);
    expect(listed?.items.map((s) => s.id).sort()).toEqual(alive.map((s) => s.ref.sessionId).sort());
    const facts = await backend.memory.list?.(owner, { pageSize: 1000 });
    expect(facts?.items).toHaveLength(this.facts);
  }

  /** Once everything is deleted, nothing is left. */
  async empty(): Promise<void> {
    for (const { ref } of this.sessions) await this.backend.sessions.delete?.(ref).catch(() => {});
    // Its own maintenance comes to an end first.
    await this.backend.close();
    this.clock += 2 * 60 * 60 * 1000;
    await maintain({ store: this.store, now: () => this.clock });
    const rows = await this.store.range({ prefix: '', limit: 10_000 });
    expect(rows.map((row) => row.key).filter((key) => !/^(a|au|ga|gu|r)\/|^indexed$/.test(key))).toEqual([]);
  }
}

test('random operations leave the backend as they leave the model', async () => {
  const operation = fc.tuple(fc.nat(17), fc.nat(1000), fc.nat(1000));
  await fc.assert(
    fc.asyncProperty(
      fc.array(operation, { minLength: 5, maxLength: 60, size: 'max' }),
      async (operations) => {
        const store = await openStore({ url: 'memory:', durability: 'normal', dataDir: randomUUID() });
        const world = new World(store);
        await world.create(1);
        for (const [kind, n, m] of operations) await world.apply(kind, n, m);
        await world.check();
        await world.empty();
        await world.backend.close();
        await store.close();
      },
    ),
    // Shrinking takes longer than reading: the seed and the path repeat a failure.
    { numRuns: runs, endOnFailure: true },
  );
}, 600_000);
