import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openAgents } from '../../src/agent/open.ts';
import type { Agents } from '../../src/agent/types.ts';
import { openLocal } from '../../src/backend/local/index.ts';
import type { Backend, SessionRef } from '../../src/backend/types.ts';
import { SessionError } from '../../src/errors.ts';
import type { Session } from '../../src/model/session.ts';
import { mostHandOvers, mostTries } from '../../src/model/turn.ts';
import { type ServedAgent, startTurnRunner, type TurnRunner } from '../../src/run/turn-runner.ts';
import { type FakeChat, fakeChat } from '../fake/chat/server.ts';
import { agentOf, eventsOf, memoryStore, newSession, runs, said, textsOf } from '../run/support.ts';

const log = { info: () => {}, warn: () => {}, error: () => {} };
const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function open(agents: Agents): Promise<Backend> {
  const backend = openLocal({ store: await memoryStore(), agents });
  ends.push(() => backend.close());
  return backend;
}

function serve(backend: Backend, served: ServedAgent, firstRetryMs = 1): TurnRunner {
  const runner = startTurnRunner({ backend, runs, log, agents: [served], firstRetryMs });
  ends.push(() => runner.stop());
  return runner;
}

const ask = (backend: Backend, ref: SessionRef, agent = 'tested') =>
  backend.events?.append?.(ref, {
    author: 'planner',
    content: { role: 'model', parts: [{ text: 'Do it.' }] },
    actions: { transferAgent: agent },
  });

type Turn = Session['turn'];

/** Waits until the turn of a session is as wanted. */
async function until(backend: Backend, ref: SessionRef, wanted: (turn: Turn) => boolean): Promise<Turn> {
  let wake: () => void = () => {};
  const unwatch = backend.sessions?.watch?.(ref, () => wake());
  for (;;) {
    const changed = new Promise<void>((resolve) => {
      wake = resolve;
    });
    const turn = (await backend.sessions?.get?.(ref))?.turn;
    if (wanted(turn)) {
      unwatch?.();
      return turn;
    }
    await changed;
  }
}

describe('a turn whose agent fails', () => {
  it('is tried again after a pause that the session shows, long before a lease ends', async () => {
    let attempts = 0;
    const backend = await open(
      agentOf(async function* () {
        attempts += 1;
        if (attempts < 3) throw new SessionError('UNAVAILABLE', 'The model is away.');
        yield said('Done.', { turnComplete: true });
      }),
    );
    serve(backend, { app: 'app', agent: 'tested' }, 50);
    const ref = await newSession(backend);
    await ask(backend, ref);
    const failed = await until(backend, ref, (turn) => turn?.failure !== undefined);
    expect(failed).toMatchObject({ agent: 'tested', tries: 1, failure: 'The model is away.' });
    expect(failed?.retryTime).toEqual(expect.any(String));
    expect(failed?.claimedUntil).toBeUndefined();
    await until(backend, ref, (turn) => turn === undefined);
    expect(attempts).toBe(3);
    expect(textsOf(await eventsOf(backend, ref)).at(-1)).toBe('tested: Done.');
  });

  it('goes back to whoever handed it over, with the reason, when it had all its tries', async () => {
    let attempts = 0;
    const backend = await open(
      // biome-ignore lint/correctness/useYield: an agent that fails before it says a word
      agentOf(async function* () {
        attempts += 1;
        throw new SessionError('UNAVAILABLE', 'The model is away.');
      }),
    );
    serve(backend, { app: 'app', agent: 'tested' });
    const ref = await newSession(backend);
    await ask(backend, ref);
    const back = await until(backend, ref, (turn) => turn?.agent === 'planner');
    expect(attempts).toBe(mostTries);
    expect(back?.note).toContain('The model is away.');
  });

  it('tells nothing of a failure that is no word for a reader', async () => {
    const backend = await open(
      // biome-ignore lint/correctness/useYield: an agent that fails before it says a word
      agentOf(async function* () {
        throw new Error('secret detail of /home/ada');
      }),
    );
    serve(backend, { app: 'app', agent: 'tested' });
    const ref = await newSession(backend);
    await ask(backend, ref);
    await until(backend, ref, (turn) => turn?.agent === 'planner');
    expect(JSON.stringify(await eventsOf(backend, ref))).not.toContain('secret');
  });
});

/** A turn whose agent works until it is stopped. */
async function turnAtWork() {
  let began: () => void = () => {};
  const working = new Promise<void>((resolve) => {
    began = resolve;
  });
  const backend = await open(
    agentOf(async function* (_turn, signal) {
      began();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      yield said('Too late.');
    }),
  );
  const runner = serve(backend, { app: 'app', agent: 'tested' });
  const ref = await newSession(backend);
  const asked = await ask(backend, ref);
  await working;
  return { backend, runner, ref, eventId: asked?.event.id ?? '' };
}

it('a turn whose run is cancelled goes back, and is not tried again', async () => {
  const { backend, ref, eventId } = await turnAtWork();
  const run = await runs.find(backend, ref, `turn:${eventId}`);
  await run?.cancel();
  const back = await until(backend, ref, (turn) => turn?.agent === 'planner');
  expect(back?.note).toBe('The run of the agent was cancelled.');
});

it('a withdrawn turn ends the run that answers it, whichever server runs it', async () => {
  const { backend, ref, eventId } = await turnAtWork();
  await backend.turns?.withdraw?.(ref, eventId, { author: 'planner' });
  const run = await runs.find(backend, ref, `turn:${eventId}`);
  const view = await run?.wait({ ms: 10_000, signal: new AbortController().signal });
  expect(view?.status).toBe('cancelled');
  expect(textsOf(await eventsOf(backend, ref)).join()).not.toContain('Too late.');
});

it('a server that stops gives its turns to another at once', async () => {
  const { backend, runner, ref } = await turnAtWork();
  await runner.stop();
  const turn = (await backend.sessions?.get?.(ref))?.turn;
  expect(turn).toMatchObject({ agent: 'tested', tries: 0 });
  expect(turn?.claimedUntil).toBeUndefined();
});

it('an agent of every app answers in each that has none of its own', async () => {
  const backend = await open(
    openAgents({
      '*': { kind: 'echo', name: 'parrot', delayMs: 0 },
      own: { kind: 'echo', name: 'other', delayMs: 0 },
    }),
  );
  serve(backend, { exceptApps: ['own'], agent: 'parrot' });
  const refs = [
    { app: 'first', userId: 'ann', sessionId: 's' },
    { app: 'own', userId: 'ann', sessionId: 's' },
    { app: 'second', userId: 'bob', sessionId: 's' },
  ];
  for (const ref of refs) {
    await backend.sessions?.create?.(ref, { sessionId: ref.sessionId });
    await ask(backend, ref, 'parrot');
  }
  for (const ref of [refs[0], refs[2]])
    if (ref !== undefined) await until(backend, ref, (turn) => turn === undefined);
  const own = refs[1];
  expect(own && (await backend.sessions?.get?.(own))?.turn).toMatchObject({ agent: 'parrot', tries: 0 });
});

it('agents that hand their turns to one another in a circle end, and whoever asked is told', async () => {
  const chat = await fakeChat();
  ends.push(() => chat.close());
  const member = (name: string) => ({
    kind: 'chat' as const,
    name,
    baseUrl: chat.url,
    model: 'small',
    historyTokens: 4000,
    memories: 0,
    tools: [],
    timeoutMs: 5000,
  });
  const backend = await open(openAgents({ app: [member('left'), member('right')] }));
  for (let i = 0; i < 2 * mostHandOvers; i += 1) {
    const args = JSON.stringify({ agent_name: i % 2 === 0 ? 'right' : 'left', note: 'You.' });
    chat.script({ toolCalls: [{ id: `c${i}`, name: 'transfer_to_agent', args }] });
  }
  serve(backend, { app: 'app', agent: 'left' });
  serve(backend, { app: 'app', agent: 'right' });
  const ref = await newSession(backend);
  await ask(backend, ref, 'left');
  const back = await until(backend, ref, (turn) => turn?.agent === 'planner');
  expect(back?.note).toContain(`handed over to one another ${mostHandOvers} times`);
  expect(chat.requests).toHaveLength(mostHandOvers);
});

describe('a chat agent that calls a tool which others answer', () => {
  let chat: FakeChat;
  beforeEach(async () => {
    chat = await fakeChat();
    ends.push(() => chat.close());
  });

  it('goes on with its turn when the outputs are there, and keeps none from being answered meanwhile', async () => {
    const backend = await open(
      openAgents({
        app: {
          kind: 'chat',
          name: 'tested',
          baseUrl: chat.url,
          model: 'small',
          historyTokens: 4000,
          memories: 0,
          tools: [{ name: 'look' }],
          timeoutMs: 5000,
        },
      }),
    );
    serve(backend, { app: 'app', agent: 'tested' });
    const waiting: SessionRef[] = [];
    for (let i = 0; i < 5; i += 1) {
      chat.script({ toolCalls: [{ id: `c${i}`, name: 'look', args: '{}' }] });
      const ref = await newSession(backend);
      const calls = async () => (await backend.toolCalls?.list?.(ref))?.length ?? 0;
      await ask(backend, ref);
      await until(backend, ref, (turn) => turn?.claimedUntil !== undefined);
      while ((await calls()) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
      waiting.push(ref);
    }
    for (const [i, ref] of waiting.entries()) {
      chat.script({ text: ['It is tea.'] });
      await backend.toolCalls?.submit?.(ref, [{ toolCallId: `c${i}`, output: { seen: 'tea' } }]);
      await until(backend, ref, (turn) => turn === undefined);
      expect(textsOf(await eventsOf(backend, ref)).at(-1)).toBe('tested: It is tea.');
    }
    expect(JSON.stringify(chat.requests.at(-1)?.body.messages)).toContain('tea');
  });
});
