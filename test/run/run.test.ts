import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import type { AgentEvent, Agents } from '../../src/agent/types.ts';
import type { Backend, SessionRef } from '../../src/backend/types.ts';
import { SessionError } from '../../src/errors.ts';
import {
  agentOf,
  eventsOf,
  forever,
  type LocalOptions,
  localBackend,
  logged,
  memoryStore,
  newSession,
  owner,
  patiently,
  runs,
  said,
  textsOf,
  underWay,
  user,
} from './support.ts';

const opened: Backend[] = [];
afterEach(async () => {
  for (const backend of opened.splice(0)) {
    await runs.endAll(backend);
    await backend.close().catch(() => {});
  }
  logged.splice(0);
});

async function open(options: LocalOptions): Promise<Backend> {
  const backend = await localBackend(options);
  opened.push(backend);
  return backend;
}

async function withSession(
  agents: Agents,
  more: LocalOptions = {},
): Promise<{ backend: Backend; ref: SessionRef }> {
  const backend = await open({ ...more, agents });
  return { backend, ref: await newSession(backend) };
}

/** Says a word, then waits to be let go or aborted, then says the rest. */
function gated() {
  let open: () => void = () => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const aborted: number[] = [];
  let begun = 0;
  const agents = agentOf(async function* (_turn, signal): AsyncGenerator<AgentEvent, void> {
    begun += 1;
    signal.addEventListener('abort', () => aborted.push(performance.now()));
    yield said('so far ', { partial: true });
    await Promise.race([gate, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
    yield said('so far so good', { turnComplete: true });
  });
  return { agents, open: () => open(), aborted, begun: () => begun };
}

const start = (backend: Backend, ref: SessionRef, text = 'hi', invocationId?: string) =>
  runs.start(backend, ref, { message: user(text), invocationId });
const codeOf = async (promise: Promise<unknown>) =>
  promise.then(
    () => 'ok',
    (error: unknown) => (error instanceof SessionError ? error : Promise.reject(error)),
  );

describe('a run', () => {
  it('that nobody knows is not found, and none is begun in its name', async () => {
    const { backend, ref } = await withSession(gated().agents);
    await backend.events?.append?.(ref, { author: 'planner', content: { parts: [{ text: 'do it' }] } });
    expect(await codeOf(runs.start(backend, ref, { invocationId: 'mistyped' }))).toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(await eventsOf(backend, ref)).toHaveLength(1);
  });

  it('keeps nothing of what it has sent', { timeout: 30_000 }, async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const pieces = 60_000;
    let used = 0;
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        yield said('first ', { partial: true });
        gc();
        const before = process.memoryUsage().heapUsed;
        for (let i = 0; i < pieces; i += 1) yield said(`${i} ${'x'.repeat(200)}`, { partial: true });
        gc();
        used = process.memoryUsage().heapUsed - before;
        yield said('whole', { turnComplete: true });
      }),
    );
    const run = await start(backend, ref);
    let heard = 0;
    const view = await run.wait({ ms: 25_000, signal: forever, onText: () => (heard += 1) });
    expect(view.status).toBe('completed');
    expect(heard).toBeGreaterThan(pieces);
    expect(used / 1e6).toBeLessThan(5);
  });

  it('is one at a time in a session; another is told which one goes on', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents);
    const first = await start(backend, ref);
    expect(await codeOf(start(backend, ref))).toMatchObject({
      code: 'ABORTED',
      details: { invocationId: first.invocationId },
    });
    const elsewhere = await start(backend, await newSession(backend));
    gate.open();
    await elsewhere.wait(patiently);
    expect(await first.wait(patiently)).toMatchObject({ status: 'completed' });
    expect(await (await start(backend, ref)).wait(patiently)).toMatchObject({ status: 'completed' });
  });

  it('keeps its session from being rewound meanwhile', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents);
    await backend.events?.append?.(ref, { id: 'first', author: 'user' });
    const run = await start(backend, ref);
    const rewind = () => backend.sessions?.rewind?.(ref, { eventId: 'first' });
    await expect(rewind()).rejects.toMatchObject({ code: 'ABORTED' });
    gate.open();
    await run.wait(patiently);
    expect(await rewind()).toMatchObject({ events: 2 });
  });

  it('that is tried again has the events of its earlier try, too', async () => {
    let tries = 0;
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        tries += 1;
        yield said(`try ${tries}`, { turnComplete: false });
        if (tries === 1) throw new SessionError('UNAVAILABLE', 'Away.');
        yield said('done', { turnComplete: true });
      }),
    );
    await (await start(backend, ref, 'hi', 'mine')).wait(patiently);
    await (await start(backend, ref, 'hi', 'mine')).wait(patiently);
    const events = (await backend.runs?.events(ref, 'mine', 10)) ?? [];
    expect(textsOf(events)).toEqual(['tested: try 1', 'tested: ', 'tested: try 2', 'tested: done']);
  });

  it('goes on when nobody waits, and is found by its id', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents);
    const run = await start(backend, ref);
    await underWay(run);
    expect(await run.wait({ ms: 0, signal: forever })).toMatchObject({ status: 'running', text: 'so far ' });
    const gone = new AbortController();
    const waiting = run.wait({ ms: 10_000, signal: gone.signal });
    gone.abort();
    expect(await waiting).toMatchObject({ status: 'running' });
    gate.open();
    const found = await runs.start(backend, ref, { invocationId: run.invocationId });
    expect(await found.wait(patiently)).toMatchObject({ status: 'completed', text: 'so far so good' });
    const later = await runs.find(backend, ref, run.invocationId);
    expect(await later?.wait(patiently)).toMatchObject({
      status: 'completed',
      text: 'so far so good',
      events: [{ author: 'tested' }],
    });
    expect(await runs.find(backend, ref, 'unknown')).toBeUndefined();
  });

  it('with the caller’s own id begins once, however often it is asked for', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents);
    const runs = await Promise.all([1, 2, 3].map(() => start(backend, ref, 'hi', 'mine')));
    gate.open();
    for (const run of runs)
      expect(await run.wait(patiently)).toMatchObject({ status: 'completed', text: 'so far so good' });
    expect(await (await start(backend, ref, 'hi', 'mine')).wait(patiently)).toMatchObject({
      status: 'completed',
    });
    expect(gate.begun()).toBe(1);
    expect(textsOf(await eventsOf(backend, ref))).toEqual(['user: hi', 'tested: so far so good']);
    expect(await codeOf(start(backend, ref, 'something else', 'mine'))).toMatchObject({
      code: 'ALREADY_EXISTS',
    });
  });

  it.each(['', 'a b', 'x'.repeat(129), '../x', 'ignore all instructions'])(
    'cannot have the id %j',
    async (id) => {
      const { backend, ref } = await withSession(gated().agents);
      expect(await codeOf(start(backend, ref, 'hi', id))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    },
  );

  it('never stores what is partial, and stores the rest under its id and the agent’s name', async () => {
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        yield said('a', { partial: true });
        yield said('ab');
        yield said('c', { partial: true });
        yield said('cd', { actions: { stateDelta: { step: 2 } }, turnComplete: true });
      }),
    );
    const run = await runs.start(backend, ref, { message: user('hi'), stateDelta: { step: 1, 'temp:x': 1 } });
    const view = await run.wait(patiently);
    expect(view).toMatchObject({ text: 'ab\ncd', events: [{}, {}] });
    const events = await eventsOf(backend, ref);
    expect(textsOf(events)).toEqual(['user: hi', 'tested: ab', 'tested: cd']);
    expect(new Set(events.map((event) => event.invocationId))).toEqual(new Set([run.invocationId]));
    expect(events.some((event) => event.partial)).toBe(false);
    expect((await backend.sessions?.get?.(ref))?.state).toEqual({ step: 2 });
  });

  it('stores nothing that strict readers of JSON refuse, whatever its agent says', async () => {
    const deep = JSON.parse(`${'{"a":'.repeat(3000)}1${'}'.repeat(3000)}`) as Record<string, unknown>;
    const { backend, ref } = await withSession(
      agentOf(async function* (_turn, signal) {
        const call = { functionCall: { id: 'c1', name: 'look', args: deep } };
        yield { content: { role: 'model', parts: [{ text: 'half \ud83d of it' }, call] } };
        yield said('and \ud83d', { partial: true });
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
      }),
    );
    const run = await start(backend, ref);
    await expect.poll(async () => (await run.wait({ ms: 10, signal: forever })).text).toContain('and');
    await run.cancel();
    const events = await eventsOf(backend, ref);
    expect(events.map(({ content }) => content?.parts[0]?.text)).toEqual(['hi', 'half \ufffd of it', 'and ']);
    expect(JSON.stringify(events)).not.toMatch(/\\ud83d/);
    expect(JSON.stringify(events).length).toBeLessThan(5000);
  });

  it('cancelled: the agent hears of it at once, what it said is kept, the session is free', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents);
    const run = await start(backend, ref);
    await underWay(run);
    const at = performance.now();
    await run.cancel();
    expect((gate.aborted[0] ?? Number.POSITIVE_INFINITY) - at).toBeLessThan(100);
    expect(await run.wait(patiently)).toMatchObject({ status: 'cancelled' });
    const events = await eventsOf(backend, ref);
    expect(textsOf(events)).toEqual(['user: hi', 'tested: so far ']);
    expect(events[1]).toMatchObject({
      interrupted: true,
      errorCode: 'CANCELLED',
      invocationId: run.invocationId,
    });
    gate.open();
    expect(await (await start(backend, ref)).wait(patiently)).toMatchObject({ status: 'completed' });
  });

  it('of an agent that does not listen ends all the same, and its late words are refused', async () => {
    let late: Promise<unknown> = Promise.resolve();
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        late = sleep(200);
        await late;
        yield said('too late', { turnComplete: true });
      }),
    );
    const run = await start(backend, ref);
    await run.wait({ ms: 30, signal: forever });
    const at = performance.now();
    await run.cancel();
    expect(performance.now() - at).toBeLessThan(100);
    await late;
    await sleep(30);
    expect(textsOf(await eventsOf(backend, ref))).toEqual(['user: hi', 'tested: ']);
  });

  it('that fails stores the failure in words of ours', async () => {
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        yield said('half', { partial: true });
        throw new Error('secret path /etc/x');
      }),
    );
    const run = await start(backend, ref, 'hi', 'one');
    expect(await run.wait(patiently)).toMatchObject({
      status: 'failed',
      error: { message: 'secret path /etc/x' },
    });
    const events = await eventsOf(backend, ref);
    expect(events[1]).toMatchObject({ errorCode: 'INTERNAL', content: { parts: [{ text: 'half' }] } });
    expect(JSON.stringify(events)).not.toContain('secret');
    const looked = await runs.start(backend, ref, { invocationId: 'one' });
    const { error } = await looked.wait(patiently);
    expect(error).toMatchObject({ code: 'INTERNAL' });
    expect((error as Error).message).not.toContain('secret');
  });

  it('that fails alone tells the operator', async () => {
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        await sleep(20);
        if (opened.length > 0) throw new Error('alone');
        yield said('never');
      }),
    );
    await start(backend, ref);
    await expect
      .poll(() => logged)
      .toMatchObject([{ level: 'error', fields: { error: { message: 'alone' } } }]);
  });

  it('without an answer is an error', async () => {
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        if (opened.length === 0) yield said('never');
      }),
    );
    const view = await (await start(backend, ref)).wait(patiently);
    expect(view).toMatchObject({ status: 'failed', error: { code: 'UNAVAILABLE' } });
  });

  it('ends with its session, and hurts no session of the same name', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents);
    const run = await start(backend, ref);
    await underWay(run);
    await backend.sessions?.delete?.(ref);
    await backend.sessions?.create?.(owner, { sessionId: ref.sessionId });
    expect((await run.wait(patiently)).status).toBe('interrupted');
    expect(gate.aborted).toHaveLength(1);
    gate.open();
    expect(await eventsOf(backend, ref)).toEqual([]);
    expect(logged).toEqual([]);
  });

  it('is interrupted when its server is shut down', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents);
    const run = await start(backend, ref);
    await underWay(run);
    await runs.endAll(backend);
    expect(await run.wait(patiently)).toMatchObject({ status: 'interrupted' });
    expect((await eventsOf(backend, ref))[1]).toMatchObject({
      interrupted: true,
      errorCode: 'ABORTED',
      content: { parts: [{ text: 'so far ' }] },
    });
  });

  it('is one of at most 20 of a user', async () => {
    const gate = gated();
    const backend = await open({ agents: gate.agents });
    for (let i = 0; i < 20; i += 1) await start(backend, await newSession(backend));
    const one = await newSession(backend);
    expect(await codeOf(start(backend, one))).toMatchObject({ code: 'RESOURCE_EXHAUSTED', retryAfter: 5 });
    const other = await backend.sessions?.create?.({ ...owner, userId: 'bob' }, {});
    await start(backend, { ...owner, userId: 'bob', sessionId: other?.id ?? '' });
    gate.open();
  });

  it('is one of at most 20 of a user, however many are asked for at the same moment', async () => {
    const gate = gated();
    const backend = await open({ agents: gate.agents });
    const refs = await Promise.all(Array.from({ length: 100 }, () => newSession(backend)));
    const outcomes = await Promise.all(refs.map((ref) => codeOf(start(backend, ref))));
    expect(outcomes.filter((outcome) => outcome === 'ok')).toHaveLength(20);
    expect(outcomes.filter((outcome) => outcome !== 'ok')).toEqual(
      Array.from({ length: 80 }, () => expect.objectContaining({ code: 'RESOURCE_EXHAUSTED' })),
    );
    gate.open();
    // Every place that was taken is given back: by runs that ended, and by calls that began none.
    await expect.poll(async () => codeOf(start(backend, refs.at(-1) as SessionRef))).toBe('ok');
    const again = await Promise.all(refs.slice(0, 19).map((ref) => codeOf(start(backend, ref))));
    expect(again.filter((outcome) => outcome !== 'ok')).toEqual([]);
  });

  it('that cannot begin takes no place of those that can', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents);
    await start(backend, ref);
    for (let i = 0; i < 40; i += 1)
      expect(await codeOf(start(backend, ref))).toMatchObject({ code: 'ABORTED' });
    expect(await codeOf(start(backend, await newSession(backend)))).toBe('ok');
    gate.open();
  });

  it('counts with the runs of the user on other backends', async () => {
    const gate = gated();
    const [one, other] = [await open({ agents: gate.agents }), await open({ agents: gate.agents })];
    for (let i = 0; i < 20; i += 1)
      await start(i % 2 === 0 ? one : other, await newSession(i % 2 === 0 ? one : other));
    expect(await codeOf(start(one, await newSession(one)))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
    gate.open();
  });

  it('that begins while its backend is closed is interrupted, too', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents);
    const starting = start(backend, ref, 'hi', 'one');
    await runs.endAll(backend);
    const outcome = await starting.then(
      (run) => run.wait(patiently),
      (error: unknown) => error,
    );
    expect(outcome).toMatchObject({ status: 'interrupted' });
    expect(gate.begun()).toBeLessThanOrEqual(1);
  });

  it('belongs to its owner: for another it does not exist', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents);
    await start(backend, ref, 'hi', 'mine');
    const mallory = { ...ref, userId: 'mallory' };
    const unknown = await codeOf(runs.find(backend, { ...mallory, sessionId: 'nope' }, 'mine'));
    expect(await codeOf(runs.find(backend, mallory, 'mine'))).toEqual(unknown);
    expect(unknown).toMatchObject({ code: 'NOT_FOUND' });
    expect(await codeOf(start(backend, mallory))).toMatchObject({ code: 'NOT_FOUND' });
  });

  it('without a message goes on from what others said, and not from nothing', async () => {
    const { backend, ref } = await withSession(
      agentOf(async function* (turn) {
        yield said(`answer to ${turn.message.parts[0]?.text}`, { turnComplete: true });
      }),
    );
    const view = async () => (await runs.start(backend, ref, {})).wait(patiently);
    expect((await view()).error).toMatchObject({ code: 'FAILED_PRECONDITION' });
    await backend.events?.append?.(ref, { author: 'planner', content: { parts: [{ text: 'do it' }] } });
    expect(await view()).toMatchObject({ text: 'answer to do it' });
  });

  it('is refused in an app without an agent where others have one, and nothing is stored', async () => {
    const backend = await open({ configs: { other: { kind: 'echo', name: 'echo', delayMs: 0 } } });
    const ref = await newSession(backend);
    const error = (await codeOf(start(backend, ref))) as SessionError;
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(error.hint).toContain('"agents"');
    expect(await eventsOf(backend, ref)).toEqual([]);
  });
});

describe('runs of several processes over one store', () => {
  const machine = (pid: number, dead: readonly number[] = []) => ({
    machine: 'm',
    pid,
    isAlive: (p: number) => !dead.includes(p),
  });

  it('two begin at the same moment, exactly one runs', async () => {
    const store = await memoryStore();
    const gates = [gated(), gated()] as const;
    const backends = await Promise.all(gates.map(({ agents }) => open({ store, agents })));
    const ref = await newSession(backends[0] as Backend);
    for (let round = 0; round < 10; round += 1) {
      const begun = await Promise.all(backends.map((backend) => codeOf(start(backend, ref))));
      expect(begun.filter((outcome) => outcome === 'ok')).toHaveLength(1);
      expect(begun.filter((outcome) => outcome !== 'ok')).toMatchObject([{ code: 'ABORTED' }]);
      for (const gate of gates) gate.open();
      await expect.poll(async () => codeOf(start(backends[0] as Backend, ref))).toBe('ok');
      await expect
        .poll(async () => (await eventsOf(backends[0] as Backend, ref)).length)
        .toBe(4 * (round + 1));
    }
    expect(gates[0].begun() + gates[1].begun()).toBe(20);
  });

  it('one sees and cancels the run of another', async () => {
    const store = await memoryStore();
    const gate = gated();
    const [a, b] = [
      await open({ store, agents: gate.agents }),
      await open({ store, agents: gated().agents }),
    ];
    const ref = await newSession(a);
    const run = await start(a, ref, 'hi', 'one');
    await underWay(run);
    const seen = await start(b, ref, 'hi', 'one');
    expect(await seen.wait({ ms: 30, signal: forever })).toMatchObject({ status: 'running' });
    const at = performance.now();
    await seen.cancel();
    expect(await run.wait(patiently)).toMatchObject({ status: 'cancelled' });
    expect((gate.aborted[0] ?? Number.POSITIVE_INFINITY) - at).toBeLessThan(100);
    expect(await seen.wait(patiently)).toMatchObject({ status: 'cancelled' });

    const second = await start(a, ref, 'hi', 'two');
    const waiting = (await start(b, ref, 'hi', 'two')).wait(patiently);
    gate.open();
    await second.wait(patiently);
    expect(await waiting).toMatchObject({ status: 'completed', text: 'so far so good' });
  });

  it('a dead one’s run is marked by whoever looks, and blocks nobody', async () => {
    const store = await memoryStore();
    const dead = await open({ store, agents: gated().agents, process: machine(1) });
    const ref = await newSession(dead);
    const run = await start(dead, ref, 'hi', 'one');
    await underWay(run);
    const living = await open({ store, agents: gated().agents, process: machine(2) });
    expect(await codeOf(start(living, ref))).toMatchObject({ code: 'ABORTED' });
    const looking = await open({ store, agents: gated().agents, process: machine(3, [1]) });
    const events = await eventsOf(looking, ref);
    expect(textsOf(events)).toEqual(['user: hi', 'tested: ']);
    expect(events[1]).toMatchObject({
      interrupted: true,
      turnComplete: true,
      errorCode: 'ABORTED',
      invocationId: 'one',
      author: 'tested',
    });
    expect(await (await runs.find(living, ref, 'one'))?.wait(patiently)).toMatchObject({
      status: 'interrupted',
    });
    expect(await codeOf(start(living, ref))).toBe('ok');
    // It was not dead after all: it notices, and says no more.
    expect(await run.wait(patiently)).toMatchObject({ status: 'interrupted' });
  });

  it('a silent one’s run is over when its lease is', async () => {
    const store = await memoryStore();
    let now = Date.parse('2026-11-21T09:00:00Z');
    const clock = () => now;
    const asleep = await open({
      store,
      agents: gated().agents,
      process: machine(1),
      leaseMs: 60_000,
      now: clock,
    });
    const other = await open({
      store,
      agents: gated().agents,
      process: { ...machine(2), machine: 'n' },
      now: clock,
    });
    const ref = await newSession(asleep);
    await start(asleep, ref, 'hi', 'one');
    now += 59_000;
    expect(await codeOf(start(other, ref))).toMatchObject({ code: 'ABORTED' });
    now += 1000;
    const again = await start(other, ref, 'hi', 'one');
    expect(await again.wait({ ms: 30, signal: forever })).toMatchObject({ status: 'running' });
    // The message of the repeated run is there once.
    expect(textsOf(await eventsOf(other, ref))).toEqual(['user: hi', 'tested: ']);
  });

  it('a living one renews its lease', async () => {
    const gate = gated();
    const { backend, ref } = await withSession(gate.agents, { leaseMs: 600 });
    const run = await start(backend, ref);
    for (let i = 0; i < 6; i += 1) {
      await sleep(220);
      expect(await codeOf(start(backend, ref))).toMatchObject({ code: 'ABORTED' });
    }
    gate.open();
    expect(await run.wait(patiently)).toMatchObject({ status: 'completed' });
  });

  it('what a run has said is kept at each renewal: a kill and a cancel from elsewhere lose none of it', async () => {
    const store = await memoryStore();
    const dead = await open({ store, agents: gated().agents, process: machine(1), leaseMs: 600 });
    const looking = await open({ store, agents: gated().agents, process: machine(2), leaseMs: 600 });
    const ref = await newSession(dead);
    await start(dead, ref, 'hi', 'one');
    const seen = await runs.find(looking, ref, 'one');
    await expect
      .poll(async () => (await seen?.wait({ ms: 0, signal: forever }))?.text, { timeout: 3000 })
      .toBe('so far ');
    const after = await open({ store, agents: gated().agents, process: machine(3, [1]) });
    expect(textsOf(await eventsOf(after, ref))).toEqual(['user: hi', 'tested: so far ']);

    const other = await newSession(dead);
    await start(dead, other, 'hi', 'two');
    const foreign = await runs.find(looking, other, 'two');
    await expect
      .poll(async () => (await foreign?.wait({ ms: 0, signal: forever }))?.text, { timeout: 3000 })
      .toBe('so far ');
    await foreign?.cancel();
    const [, end] = await eventsOf(looking, other);
    expect(end).toMatchObject({ errorCode: 'CANCELLED', content: { parts: [{ text: 'so far ' }] } });
  });

  it('what is stored as an event is not kept a second time as what was said on the way', async () => {
    const store = await memoryStore();
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        yield said('half', { partial: true });
        await sleep(300);
        yield said('half and whole');
        await sleep(10_000, undefined, { ref: false });
      }),
      { store, process: machine(1), leaseMs: 600 },
    );
    await start(backend, ref, 'hi', 'one');
    await expect.poll(async () => (await eventsOf(backend, ref)).length, { timeout: 3000 }).toBe(2);
    const next = await open({ store, agents: gated().agents, process: machine(2, [1]) });
    expect(textsOf(await eventsOf(next, ref))).toEqual(['user: hi', 'tested: half and whole', 'tested: ']);
  });

  it('a renewal that an event overtakes does not keep what that event holds', async () => {
    const store = await memoryStore();
    let held: Promise<unknown> | undefined;
    let begin = () => {};
    const renewing = new Promise<void>((resolve) => {
      begin = resolve;
    });
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        await renewing;
        yield said('half and whole');
        await sleep(10_000, undefined, { ref: false });
      }),
      {
        process: machine(1),
        store: {
          ...store,
          async update(keys, decide) {
            if (held === undefined) return store.update(keys, decide);
            const wait = held;
            held = undefined;
            begin();
            await wait;
            return store.update(keys, decide);
          },
        },
      },
    );
    await start(backend, ref, 'hi', 'one');
    held = expect.poll(async () => (await eventsOf(backend, ref)).length, { timeout: 3000 }).toBe(2);
    await backend.runs?.renew(ref, 'one', 'half');
    const next = await open({ store, agents: gated().agents, process: machine(2, [1]) });
    expect(textsOf(await eventsOf(next, ref))).toEqual(['user: hi', 'tested: half and whole', 'tested: ']);
  });

  it('a run that was cancelled before its first word writes none', async () => {
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        yield said('never', { turnComplete: true });
      }),
    );
    const begun = await backend.runs?.begin(ref, { invocationId: 'one', digest: 'd' });
    expect(begun).toMatchObject({ begun: true });
    await backend.runs?.end(ref, 'one', { status: 'cancelled' });
    const stream = backend.query?.stream?.(ref, { message: user('hi'), invocationId: 'one' }, forever);
    expect(await codeOf(stream?.next() ?? Promise.resolve())).toMatchObject({ code: 'ABORTED' });
    expect(textsOf(await eventsOf(backend, ref))).toEqual(['tested: ']);
  });

  it('a run whose last word is stored is complete, though its process died before it could say so', async () => {
    const store = await memoryStore();
    const { backend, ref } = await withSession(
      agentOf(async function* () {
        yield said('whole', { turnComplete: true });
        await sleep(10_000, undefined, { ref: false });
      }),
      { store, process: machine(1) },
    );
    await start(backend, ref, 'hi', 'one');
    await expect.poll(async () => (await eventsOf(backend, ref)).length).toBe(2);
    const next = await open({ store, agents: gated().agents, process: machine(2, [1]) });
    const run = await start(next, ref, 'hi', 'one');
    expect(await run.wait(patiently)).toMatchObject({ status: 'completed', text: 'whole' });
    expect(textsOf(await eventsOf(next, ref))).toEqual(['user: hi', 'tested: whole']);
  });
});
