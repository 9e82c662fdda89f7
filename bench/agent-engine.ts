import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Agent, type Dispatcher } from 'undici';
import { openAgentEngine } from '../src/backend/agent-engine/index.ts';
import type { Backend, SessionRef } from '../src/backend/types.ts';
import { sendThrough } from '../src/net/send.ts';

/**
 * What the Agent Engine backend costs in CPU of this process, compared with bare `fetch` calls: the same
 * requests, one after the other or side by side as the backend makes them, with their answers read as JSON.
 * The fake service runs in a process of its own. And how soon after the first byte from upstream the first
 * event of a run is there.
 */
const rounds = 15;
const perRound = 150;

interface Sent {
  url: string;
  method: string;
  headers: Record<string, string>;
  body: string | undefined;
  begun: number;
  ended: number;
}

export default async function run(): Promise<void> {
  const child = fork(fileURLToPath(new URL('../test/fake/agent-engine/main.ts', import.meta.url)), {
    execArgv: ['--import', 'tsx'],
  });
  try {
    const { url, engineId } = await new Promise<{ url: string; engineId: string }>((resolve, reject) => {
      child.once('message', (message) => resolve(message as { url: string; engineId: string }));
      child.once('exit', () => reject(new Error('The fake ended before it began.')));
    });
    const backend = await openAgentEngine({ project: 'my-proj', baseUrl: url, engineId });
    await compare(backend, { app: engineId, userId: 'ada' });
    await firstEvent(backend, { app: engineId, userId: 'ada' });
  } finally {
    child.disconnect();
  }
}

async function compare(backend: Backend, owner: { app: string; userId: string }): Promise<void> {
  const { sessions, events } = backend;
  for (let i = 0; i < 20; i += 1) await sessions?.create?.(owner, { displayName: `Session ${i}` });
  const { id } = (await sessions?.create?.(owner, { sessionId: 'bench' })) ?? { id: '' };
  const ref: SessionRef = { ...owner, sessionId: id };
  const say = () =>
    events?.append?.(ref, {
      author: 'user',
      content: { role: 'user', parts: [{ text: 'What is the weather in Oslo?' }] },
    });
  for (let i = 0; i < 100; i += 1) await say();
  const work: Record<string, () => Promise<unknown> | undefined> = {
    get_session: () => sessions?.get?.(ref),
    list_sessions: () => sessions?.list?.({ ...owner, pageSize: 20 }),
    'list_events (20)': () => events?.list?.(ref, { pageSize: 20 }),
    'list_events (100)': () => events?.list?.(ref, { pageSize: 100 }),
    search_memory: () => backend.memory?.search?.(owner, { text: 'tea', limit: 10 }),
    append_event: say,
  };
  print('CPU of this process per call, in microseconds: the backend, bare fetch of the same calls, ratio');
  for (const [name, call] of Object.entries(work)) {
    const sent = await requestsOf(call);
    const groups = parallelGroups(sent);
    const bare = async () => {
      for (const group of groups) await Promise.all(group.map(send));
    };
    for (let i = 0; i < 300; i += 1) await (i % 2 === 0 ? call() : bare());
    const ratios: number[] = [];
    const ours: number[] = [];
    const theirs: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const first = await cpuOf(call);
      const second = await cpuOf(bare);
      ours.push(first);
      theirs.push(second);
      ratios.push(first / second);
    }
    print(
      `  ${name.padEnd(20)} ${median(ours).toFixed(0).padStart(6)} ${median(theirs).toFixed(0).padStart(6)}   ${median(ratios).toFixed(2)}   (${sent.length} requests)`,
    );
  }
}

async function send({ url, method, headers, body }: Sent): Promise<unknown> {
  const response = await fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });
  return await response.json();
}

/** What a call sends. */
async function requestsOf(call: () => Promise<unknown> | undefined): Promise<Sent[]> {
  const seen: Sent[] = [];
  const end = watch((options) => {
    const request: Sent = {
      url: String(options.origin) + options.path,
      method: options.method,
      headers: options.headers as Record<string, string>,
      body: options.body as string | undefined,
      begun: performance.now(),
      ended: Number.POSITIVE_INFINITY,
    };
    seen.push(request);
    return {
      end: () => {
        request.ended = performance.now();
      },
    };
  });
  try {
    await call();
  } finally {
    end();
  }
  return seen;
}

interface Watcher {
  data?: () => void;
  end?: () => void;
}

/** Sees every request of the backend, until the function that it returns is called. */
function watch(begin: (options: Dispatcher.DispatchOptions) => Watcher): () => void {
  const agent = new Agent({ allowH2: false });
  const watched = agent.compose((dispatch) => (options, handler) => {
    const { data, end } = begin(options);
    return dispatch(options, {
      onRequestStart: (...args) => handler.onRequestStart?.(...args),
      onResponseStart: (...args) => handler.onResponseStart?.(...args),
      onResponseData(...args) {
        data?.();
        handler.onResponseData?.(...args);
      },
      onResponseEnd(...args) {
        end?.();
        handler.onResponseEnd?.(...args);
      },
      onResponseError: (...args) => handler.onResponseError?.(...args),
    });
  });
  sendThrough(watched);
  return () => sendThrough(agent);
}

/** Requests that were under way at the same time belong together. */
function parallelGroups(sent: readonly Sent[]): Sent[][] {
  const groups: Sent[][] = [];
  for (const request of sent) {
    const last = groups.at(-1);
    if (last?.some((other) => other.ended > request.begun) === true) last.push(request);
    else groups.push([request]);
  }
  return groups;
}

async function cpuOf(call: () => Promise<unknown> | undefined): Promise<number> {
  const before = process.cpuUsage();
  for (let i = 0; i < perRound; i += 1) await call();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / perRound;
}

/** The run is seen twice: where its bytes come in, and where its events come out. */
async function firstEvent(backend: Backend, owner: { app: string; userId: string }): Promise<void> {
  const { id } = (await backend.sessions?.create?.(owner, {})) ?? { id: '' };
  const ref = { ...owner, sessionId: id };
  const delays: number[] = [];
  let firstByte = Number.NaN;
  const end = watch(({ path }) =>
    path.includes(':streamQuery')
      ? {
          data: () => {
            if (Number.isNaN(firstByte)) firstByte = performance.now();
          },
        }
      : {},
  );
  for (let i = 0; i < 200; i += 1) {
    firstByte = Number.NaN;
    const input = { message: { parts: [{ text: 'hello there' }] }, invocationId: 'i' };
    const events = backend.query?.stream?.(ref, input, new AbortController().signal);
    for await (const _event of events ?? []) {
      delays.push(performance.now() - firstByte);
      break;
    }
  }
  end();
  const sorted = delays.slice(50).toSorted((a, b) => a - b);
  print(`First upstream byte to first partial event: p50 ${at(sorted, 0.5)} ms, p99 ${at(sorted, 0.99)} ms`);
}

const at = (sorted: readonly number[], q: number): string =>
  (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN).toFixed(2);

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

const print = (text: string): void => {
  process.stdout.write(`${text}\n`);
};
