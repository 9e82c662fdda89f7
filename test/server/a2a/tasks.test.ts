import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { type Task, TaskState } from '@a2a-js/sdk';
import { ServerCallContext } from '@a2a-js/sdk/server';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openLocal } from '../../../src/backend/local/index.ts';
import type { Backend, TakenTurn } from '../../../src/backend/types.ts';
import { startTurnRunner } from '../../../src/run/turn-runner.ts';
import { turnRequests } from '../../../src/server/a2a/requests.ts';
import { principalOf } from '../../../src/server/auth/scopes.ts';
import { openStore } from '../../../src/store/open.ts';
import { agentOf, runs, said } from '../../run/support.ts';
import { startProduct } from '../http/harness.ts';
import { tokenOf, tokensFor } from '../http/requests.ts';
import { clientFor, message } from './client.ts';

const log = { info: () => {}, warn: () => {}, error: () => {} };
const owner = { app: 'default', userId: 'ann' };
const never = new AbortController().signal;
let folder: string;
const ends: (() => Promise<unknown>)[] = [];
beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'a2a tasks '));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  rmSync(folder, { recursive: true });
});

async function openBackend(
  agents = agentOf(async function* () {
    yield said('Here.', { turnComplete: true });
  }, 'parrot'),
): Promise<Backend> {
  const url = `sqlite:${path.join(folder, 'sessions.db')}`;
  return openLocal({ store: await openStore({ url, durability: 'normal', dataDir: folder }), agents });
}

/** A server whose agent others play, and what ends it. */
async function open(
  backend?: Backend,
  tokens = tokensFor({ ann: ['sessions:write'], bob: ['sessions:write'] }),
) {
  const opened = backend ?? (await openBackend());
  const product = await startProduct({
    backend: opened,
    agents: [{ app: 'default', agent: 'parrot' }],
    settings: { a2a: true, tokens },
  });
  let ended = false;
  const end = async () => {
    if (!ended) await product.end();
    ended = true;
  };
  ends.push(end);
  const { origin } = new URL(product.url);
  return {
    backend: opened,
    end,
    origin,
    client: await clientFor(origin, 'ann'),
    other: await clientFor(origin, 'bob'),
  };
}

async function begin(
  client: Awaited<ReturnType<typeof clientFor>>,
  text: string,
  contextId = '',
): Promise<Task> {
  const task = await client.sendMessage(message(text, contextId, '', true));
  if (!('status' in task)) throw new Error('A task was expected.');
  return task;
}

async function take(backend: Backend): Promise<TakenTurn> {
  const taken = await backend.turns?.take?.(
    owner,
    { agent: 'parrot', leaseMs: 60_000, waitMs: 60_000 },
    never,
  );
  if (taken === undefined) throw new Error('There is no turn.');
  return taken;
}
const answer = (backend: Backend, { ref, claim }: TakenTurn, text: string, to?: string) =>
  backend.events?.append?.(
    ref,
    {
      author: 'parrot',
      content: { role: 'model', parts: [{ text }] },
      ...(to === undefined ? {} : { actions: { transferAgent: to } }),
    },
    { claim },
  );
const hashOf = (token: string) => createHash('sha256').update(tokenOf(token)).digest('hex');
const get = (id: string) => ({ tenant: '', id, historyLength: undefined });
const only = (id: string) => ({ tenant: '', id });
const cancelOf = (id: string) => ({ tenant: '', id, metadata: undefined });
const stateOf = (task: Task) => task.status?.state;

describe('tasks are turns', () => {
  it('a task is known to a server that is started later, as it was and as it goes on', async () => {
    const first = await open();
    const done = await begin(first.client, 'One');
    await answer(first.backend, await take(first.backend), 'First.');
    const openTask = await begin(first.client, 'Two');
    expect(stateOf(openTask)).toBe(TaskState.TASK_STATE_SUBMITTED);
    await first.end();

    const { client, backend, other } = await open();
    const known = await client.getTask(get(done.id));
    expect(stateOf(known)).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(known.artifacts).toMatchObject([{ name: 'parrot', parts: [{ content: { value: 'First.' } }] }]);
    expect(known.history).toMatchObject([{ parts: [{ content: { value: 'One' } }] }]);
    await expect(other.getTask(get(done.id))).rejects.toThrow(/no task/);

    const pieces: unknown[] = [];
    const following = (async () => {
      for await (const { payload } of client.resubscribeTask(only(openTask.id))) pieces.push(payload?.$case);
    })();
    const taken = await take(backend);
    expect(stateOf(await client.getTask(get(openTask.id)))).toBe(TaskState.TASK_STATE_WORKING);
    await answer(backend, taken, 'Second.');
    await following;
    expect(pieces).toEqual(['task', 'artifactUpdate', 'statusUpdate']);
    await expect(
      (async () => {
        for await (const _piece of client.resubscribeTask(only(done.id)));
      })(),
    ).rejects.toThrow(/ended/);
  });

  it('a task that asks for input goes on with the message that answers', async () => {
    const { client, backend } = await open();
    const task = await begin(client, 'Tea?');
    await answer(backend, await take(backend), 'Which one?', 'user');
    const asking = await client.getTask(get(task.id));
    expect(stateOf(asking)).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
    await client.sendMessage(message('Green.', '', task.id, true));
    const taken = await take(backend);
    await answer(backend, taken, 'Green tea, then.');
    const done = await client.getTask(get(task.id));
    expect(stateOf(done)).toBe(TaskState.TASK_STATE_COMPLETED);
    expect(done.artifacts.map((one) => one.parts[0]?.content?.value)).toEqual([
      'Which one?',
      'Green tea, then.',
    ]);
    expect(done.history.map((one) => one.parts[0]?.content?.value)).toEqual(['Tea?', 'Green.']);
    await expect(client.sendMessage(message('More.', '', task.id))).rejects.toThrow(/ended/);
    expect((await client.listTasks(listOf())).tasks.map(({ id }) => id)).toEqual([task.id]);
  });

  it('a message to a task may be sent again, whatever became of the task meanwhile', async () => {
    const { client, backend } = await open();
    const task = await begin(client, 'Tea?');
    await answer(backend, await take(backend), 'Which one?', 'user');
    const reply = message('Green.', '', task.id, true);
    await client.sendMessage(reply);
    const atWork = await client.sendMessage(reply);
    expect('status' in atWork && stateOf(atWork)).toBe(TaskState.TASK_STATE_SUBMITTED);
    const taken = await take(backend);
    const news = message('Hurry.', '', task.id, true);
    await client.sendMessage(news);
    await answer(backend, taken, 'Sugar?', 'user');
    for (const again of [reply, news]) {
      const asking = await client.sendMessage(again);
      expect('status' in asking && stateOf(asking)).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
    }
    await client.sendMessage(message('No.', '', task.id, true));
    await answer(backend, await take(backend), 'Here.');
    const done = await client.sendMessage(reply);
    expect('status' in done && stateOf(done)).toBe(TaskState.TASK_STATE_COMPLETED);
    const texts = 'history' in done && done.history.map((one) => one.parts[0]?.content?.value);
    expect(texts).toEqual(['Tea?', 'Green.', 'Hurry.', 'No.']);
  });

  it('a message to a task at work is news to its agent, and no other turn', async () => {
    const { client, backend } = await open();
    const task = await begin(client, 'Tea?');
    const taken = await take(backend);
    await client.sendMessage(message('Hurry.', '', task.id, true));
    await answer(backend, taken, 'Here.');
    expect(stateOf(await client.getTask(get(task.id)))).toBe(TaskState.TASK_STATE_COMPLETED);
    expect((await backend.sessions?.get?.(taken.ref))?.turn).toBeUndefined();
  });

  it('an error that ends the turn fails the task, with its words', async () => {
    const { client, backend } = await open();
    const task = await begin(client, 'Tea?');
    const failure = { code: 'UNAVAILABLE', message: 'No water.' };
    await backend.turns?.giveBack?.(await take(backend), { how: 'return', failure });
    const failed = await client.getTask(get(task.id));
    expect(failed.status).toMatchObject({
      state: TaskState.TASK_STATE_FAILED,
      message: { parts: [{ content: { value: 'No water.' } }] },
    });
  });

  it('the same message twice is one task', async () => {
    const { client, backend } = await open();
    const once = message('Tea?', 'c1', '', true);
    const [first, second] = [await client.sendMessage(once), await client.sendMessage(once)];
    expect('id' in first && 'id' in second && first.id === second.id).toBe(true);
    await answer(backend, await take(backend), 'Here.');
    const again = await client.sendMessage(once);
    expect('status' in again && stateOf(again)).toBe(TaskState.TASK_STATE_COMPLETED);
  });

  it('another message while the agent is at work is refused in words', async () => {
    const { client, backend } = await open();
    const task = await begin(client, 'Tea?');
    const taken = await take(backend);
    await expect(client.sendMessage(message('Coffee?', task.contextId))).rejects.toThrow(
      /is working on the turn.*taskId/,
    );
    await answer(backend, taken, 'Here.');
  });

  it('ids that no task has are not found, whatever they look like', async () => {
    const { client, backend } = await open();
    const task = await begin(client, 'Tea?');
    const { id: sessionId = '' } = (await backend.sessions?.create?.(owner, {})) ?? {};
    await backend.events?.append?.(
      { ...owner, sessionId },
      { id: 'plain', author: 'user', content: { parts: [{ text: 'x' }] } },
    );
    const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
    for (const id of [
      'x',
      made([]),
      made([1, 2]),
      made([sessionId, 'plain']),
      made(['../s', 'y']),
      `${task.id}=`,
      made({}),
      `${task.id}A`,
    ])
      await expect(client.getTask(get(id)), id).rejects.toThrow(/no task/);
  });

  it('a task of a session that was deleted is gone, and of one that was rewound cancelled', async () => {
    const { client, backend } = await open();
    const { id: sessionId = '' } = (await backend.sessions?.create?.(owner, {})) ?? {};
    const ref = { ...owner, sessionId };
    const before = await backend.events?.append?.(ref, {
      author: 'user',
      content: { parts: [{ text: 'x' }] },
    });
    const task = await begin(client, 'Tea?', sessionId);
    await backend.sessions?.rewind?.(ref, { eventId: before?.event.id ?? '' });
    expect(stateOf(await client.getTask(get(task.id)))).toBe(TaskState.TASK_STATE_CANCELED);
    await backend.sessions?.delete?.(ref);
    await expect(client.getTask(get(task.id))).rejects.toThrow(/no task/);
  });
});

const listOf = (more = {}) => ({
  tenant: '',
  contextId: '',
  status: TaskState.TASK_STATE_UNSPECIFIED,
  pageToken: '',
  statusTimestampAfter: undefined,
  ...more,
});

it('tasks are listed by page, context and state', async () => {
  const { client, backend, other } = await open();
  const tasks: Task[] = [];
  for (const text of ['1', '2', '3']) {
    tasks.unshift(await begin(client, text));
    if (text !== '3') await answer(backend, await take(backend), 'Here.');
  }
  const ids = tasks.map(({ id }) => id);
  const first = await client.listTasks(listOf({ pageSize: 2 }));
  expect(first).toMatchObject({ totalSize: 3, tasks: [{ id: ids[0], artifacts: [] }, { id: ids[1] }] });
  const second = await client.listTasks(listOf({ pageSize: 2, pageToken: first.nextPageToken }));
  expect(second).toMatchObject({ nextPageToken: '', tasks: [{ id: ids[2] }] });
  const here = await client.listTasks(listOf({ contextId: tasks[1]?.contextId, includeArtifacts: true }));
  expect(here.tasks).toMatchObject([{ id: ids[1], artifacts: [{ name: 'parrot' }] }]);
  const working = await client.listTasks(listOf({ status: TaskState.TASK_STATE_SUBMITTED }));
  expect(working.tasks.map(({ id }) => id)).toEqual([ids[0]]);
  expect((await other.listTasks(listOf())).tasks).toEqual([]);
  expect((await client.listTasks(listOf({ contextId: 'none' }))).tasks).toEqual([]);
});

it('a message is said by the agent that its token is bound to, and who sent it stands in the event', async () => {
  const tokens = [
    { token: 'scout', agents: ['scout', 'lead'], name: 'the scout’s laptop' },
    { token: 'ann' },
  ].map(({ token, ...more }) => ({
    sha256: hashOf(token),
    user: 'ann',
    scopes: ['sessions:write'],
    ...more,
  }));
  const { backend, origin } = await open(undefined, JSON.stringify(tokens));
  const scout = await clientFor(origin, 'scout');
  const task = await begin(scout, 'Tea?');
  const taken = await take(backend);
  expect(taken.turn.handedOverBy).toBe('scout');
  const { items } = (await backend.events?.list?.(taken.ref, { pageSize: 10 })) ?? { items: [] };
  expect(items).toMatchObject([{ author: 'scout', writtenBy: 'the scout’s laptop' }]);
  await answer(backend, taken, 'Which one?', 'scout');
  // The task belongs to the user, whose other tokens see it, too.
  const ann = await clientFor(origin, 'ann');
  expect(stateOf(await ann.getTask(get(task.id)))).toBe(TaskState.TASK_STATE_INPUT_REQUIRED);
  await scout.sendMessage(message('Green.', '', task.id, true));
  expect((await take(backend)).turn.handedOverBy).toBe('scout');
});

it('an agent may be handed a turn by a message of its own name, and its answer is told', async () => {
  const tokens = [{ sha256: hashOf('ann'), user: 'ann', scopes: ['sessions:write'], agents: ['parrot'] }];
  const { backend, client } = await open(undefined, JSON.stringify(tokens));
  const task = await begin(client, 'Remember.');
  await answer(backend, await take(backend), 'I remember.');
  const done = await client.getTask(get(task.id));
  expect(stateOf(done)).toBe(TaskState.TASK_STATE_COMPLETED);
  expect(done.artifacts).toMatchObject([{ name: 'parrot', parts: [{ content: { value: 'I remember.' } }] }]);
  expect(done.history).toHaveLength(1);
});

describe('a cancelled task', () => {
  it('withdraws its turn, refuses whoever works on it, and ends whoever waits', async () => {
    const { client, backend } = await open();
    const waiting = client.sendMessage(message('Tea?'));
    const taken = await take(backend);
    const { tasks } = await client.listTasks(listOf());
    const id = tasks[0]?.id ?? '';
    expect(stateOf(await client.cancelTask(cancelOf(id)))).toBe(TaskState.TASK_STATE_CANCELED);
    const ended = await waiting;
    expect('status' in ended && stateOf(ended)).toBe(TaskState.TASK_STATE_CANCELED);
    expect((await backend.sessions?.get?.(taken.ref))?.turn).toBeUndefined();
    await expect(answer(backend, taken, 'Too late.')).rejects.toMatchObject({ code: 'ABORTED' });
    // Twice is once; and what has ended stays as it is.
    expect(stateOf(await client.cancelTask(cancelOf(id)))).toBe(TaskState.TASK_STATE_CANCELED);
    const done = await begin(client, 'Again');
    await answer(backend, await take(backend), 'Here.');
    await expect(client.cancelTask(cancelOf(done.id))).rejects.toThrow(/ended already/);
  });

  it('ends the run of an agent that this server runs', async () => {
    let stopped: () => void = () => {};
    const stop = new Promise<void>((resolve) => {
      stopped = resolve;
    });
    let began: () => void = () => {};
    const working = new Promise<void>((resolve) => {
      began = resolve;
    });
    const agents = agentOf(async function* (_turn, signal) {
      began();
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      stopped();
      yield said('Too late.');
    }, 'parrot');
    const { client, backend } = await open(await openBackend(agents));
    const runner = startTurnRunner({ backend, runs, log, agents: [{ app: 'default', agent: 'parrot' }] });
    ends.push(() => runner.stop());
    const task = await begin(client, 'Tea?');
    await working;
    expect(stateOf(await client.cancelTask(cancelOf(task.id)))).toBe(TaskState.TASK_STATE_CANCELED);
    await stop;
    const run = await client.getTask(get(task.id));
    expect(run.artifacts).toEqual([]);
  });
});

/** A2A_TASKS=100000 makes it long. */
it('tasks cost the memory of the server nothing', async () => {
  const backend = await openBackend();
  ends.push(() => backend.close());
  const principal = principalOf('ann', ['sessions:write']);
  const requests = turnRequests({
    backend,
    app: 'default',
    agent: 'parrot',
    log,
    card: () => {
      throw new Error('Nobody asks for it.');
    },
    callerOf: () => ({ principal, signal: never }),
  });
  const context = new ServerCallContext({ requestedVersion: '1.0' });
  const work = async (count: number) => {
    for (let i = 0; i < count; i += 1) {
      const task = await requests.sendMessage(message('x'.repeat(2000), 'one', '', true), context);
      if (!('status' in task)) throw new Error('A task was expected.');
      await answer(backend, await take(backend), 'Here.');
      expect(stateOf(await requests.getTask(get(task.id), context))).toBe(TaskState.TASK_STATE_COMPLETED);
    }
  };
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heap = () => {
    collect();
    return process.memoryUsage().heapUsed;
  };
  const count = Number(process.env.A2A_TASKS ?? 600);
  await work(200);
  const before = heap();
  await work(count);
  // A list of them would hold twice this and more.
  const grown = heap() - before;
  if (process.env.A2A_TASKS !== undefined)
    process.stderr.write(`${count} tasks: the heap grew by ${(grown / 1024).toFixed(0)} KiB.\n`);
  expect(grown / count).toBeLessThan(1500);
}, 3_600_000);
