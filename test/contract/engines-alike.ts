import { describe, expect, it, onTestFinished } from 'vitest';
import { openLocal } from '../../src/backend/local/index.ts';
import { maintain } from '../../src/backend/local/maintenance.ts';
import type { Backend, SessionRef } from '../../src/backend/types.ts';
import { SessionError } from '../../src/errors.ts';
import type { NewEvent } from '../../src/model/event.ts';
import type { Page, PageQuery } from '../../src/model/page.ts';
import type { Store } from '../../src/store/types.ts';
import { pagesOf } from '../../src/transfer/source.ts';

/** How many scripts there are. */
const runs = Number(process.env.ENGINE_RUNS ?? 6);
const steps = 400;
const owner = { app: 'app', userId: 'ada' };
const never = new AbortController().signal;

type Local = Required<Backend>;
type Step = (backend: Local) => Promise<unknown> | undefined;

const words = [
  'Köln',
  'e\u0301tude',
  '東京タワー',
  'user_id-7',
  '🙂 fine',
  'C++ %_',
  'the red house',
  'refund',
];
const values = [1, -0.5, '', null, true, [], { a: [{ b: null }] }, 'ä'.repeat(200), 1e21];
const stateKeys = ['a', 'b', 'constructor', 'user:u', 'app:p', 'temp:t', '', 'x y'];

/** The same numbers for the same seed, each from 0 to below the limit. */
function numbersOf(seed: number): (limit: number) => number {
  let state = seed * 7919 + 1;
  return (limit) => {
    state = (state * 48_271) % 2_147_483_647;
    return Math.floor((state / 2_147_483_647) * limit);
  };
}

/** A step of the script. What is random in it is chosen here, once for all engines. */
function stepOf(below: (limit: number) => number, number: number): Step {
  const one = <T>(list: readonly T[]): T => list[below(list.length)] as T;
  const ref: SessionRef = { ...owner, sessionId: `s${below(6)}` };
  const eventId = `e${below(number + 1)}`;
  const pageSize = one([1, 2, 5, 100]);
  const text = one(words);
  const delta = () =>
    Object.fromEntries(Array.from({ length: below(4) }, () => [one(stateKeys), one(values)]));
  const [state, stateDelta] = [delta(), delta()];
  const guard = below(10) === 0 ? { expectedRevision: below(20) } : {};
  const name = one(['a/b', 'user:c', '..']);
  const toolCallId = `c${below(8)}`;
  const agent = one(['w1', 'w2']);
  const flag = below(2) === 0;
  const order = one(['asc', 'desc'] as const);
  const orderBy = one(['updateTime desc', 'updateTime asc', 'createTime desc', 'createTime asc'] as const);
  const append =
    (part: object, more: Partial<NewEvent> = {}): Step =>
    (backend) =>
      backend.events.append?.(
        ref,
        {
          id: `e${number}`,
          author: flag ? 'user' : 'bot',
          invocationId: 'i',
          content: { parts: [part] },
          ...more,
        },
        guard,
      );
  const said = append({ text: `${text} ${number}` }, { actions: { stateDelta } });
  return one<Step>([
    ({ sessions }) =>
      sessions.create?.(owner, {
        sessionId: ref.sessionId,
        displayName: text,
        labels: { env: agent },
        state,
        ...(flag ? { parentSessionId: 's0' } : {}),
      }),
    ({ sessions }) => sessions.update?.(ref, { displayName: text, ...(flag ? { state } : {}) }, guard),
    ({ sessions }) => sessions.get?.(ref),
    ({ sessions }) => (flag ? undefined : sessions.delete?.(ref, guard)),
    ({ sessions }) =>
      sessions.fork?.(ref, { newSessionId: `s${number % 6}`, ...(flag ? { upToEventId: eventId } : {}) }),
    ({ sessions }) => sessions.rewind?.(ref, flag ? { eventId } : { undo: true }, guard),
    ({ sessions }) => whole((page) => sessions.list?.({ ...owner, ...page, orderBy }), pageSize),
    said,
    said,
    said,
    append({ text: 'again' }, { id: eventId }),
    append({ text: 'to you' }, { actions: { transferAgent: agent } }),
    append({ functionCall: { id: toolCallId, name: 'f' } }, flag ? { longRunningToolIds: [toolCallId] } : {}),
    append({ functionResponse: { id: toolCallId, name: 'f', response: { ok: true } } }),
    ({ toolCalls }) => toolCalls.submit?.(ref, [{ toolCallId, output: { number } }], {}),
    ({ toolCalls }) => toolCalls.list?.(ref),
    ({ events }) => events.setVisibility?.(ref, eventId, flag),
    ({ events }) => events.delete?.(ref, eventId, {}),
    ({ events }) => events.get?.(ref, eventId),
    ({ events }) => whole((page) => events.list?.(ref, { ...page, order, includeHidden: flag }), pageSize),
    ({ events }) => whole((page) => events.list?.(ref, { ...page, order, afterEventId: eventId }), pageSize),
    async ({ events }) => {
      const found = await events.search?.({ ...owner, text, limit: 4000, around: 0 });
      return found?.hits.map(({ session, event }) => `${session.id} ${event.timestamp} ${event.id}`).sort();
    },
    ({ artifacts }) =>
      artifacts.save?.(ref, {
        name,
        mimeType: 'text/plain',
        data: Buffer.from(`${text} ${number}`),
      }),
    ({ artifacts }) => whole((page) => artifacts.list?.(ref, page), pageSize),
    ({ memory }) => memory.create?.(owner, { fact: `${text} ${number}` }),
    ({ memory }) => memory.addSession?.(ref, {}),
    async ({ memory }) =>
      (await memory.search?.(owner, { text, limit: 4000 }))?.map(({ fact }) => fact).sort(),
    async ({ memory }) =>
      (await whole((page) => memory.list?.(owner, page), pageSize)).map(({ fact }) => fact).sort(),
    ({ memory }) => (flag ? memory.deleteAll?.(owner, { sessionIds: [ref.sessionId] }) : undefined),
    ({ feedback }) => feedback.register?.(ref, { eventId, score: number }),
    async ({ turns, events }) => {
      const taken = await turns.take?.(owner, { agent, leaseMs: 50, waitMs: 0, worker: 'w' }, never);
      if (taken === undefined || flag) return taken;
      const event = { id: `e${number}`, author: agent, invocationId: 'i', content: { parts: [{ text }] } };
      return [taken, await events.append?.(taken.ref, event, { claim: taken.claim })];
    },
  ]);
}

/** All items of a list, page by page. */
async function whole<T>(
  load: (query: PageQuery) => Promise<Page<T>> | undefined,
  pageSize: number,
): Promise<T[]> {
  const items: T[] = [];
  for await (const item of pagesOf(async (query) => (await load({ ...query, pageSize })) ?? { items: [] }))
    items.push(item);
  return items;
}

/** What a step answered, with random ids by their form alone. */
async function answerOf(step: Step, backend: Local): Promise<string> {
  const answer = await Promise.resolve(step(backend)).catch((error: unknown) => {
    if (error instanceof SessionError) return { code: error.code, message: error.message };
    throw error;
  });
  return (JSON.stringify(answer) ?? '')
    .replaceAll(/(?<=")[mt]\d{18,21}(?=")/g, 'random')
    .replaceAll(/(?<=-)\d{9}(?=")/g, 'uid');
}

/** @param engines make new, empty stores with the given clock; the first is what the others are compared with */
export function enginesAlike(engines: Record<string, (now: () => number) => Promise<Store>>): void {
  describe('the same script is answered alike', () => {
    const met = new Set<string>();

    it.each(Array.from({ length: runs }, (_, seed) => seed))(
      'script %i',
      { timeout: 120_000 },
      async (seed) => {
        let clock = Date.now();
        const now = () => clock;
        const names = Object.keys(engines);
        const stores = await Promise.all(Object.values(engines).map((open) => open(now)));
        const backends = stores.map((store) => openLocal({ store, now, maintains: false }) as Local);
        onTestFinished(async () => {
          for (const backend of backends) await backend.close();
        });
        const below = numbersOf(seed);
        for (let number = 0; number < steps; number += 1) {
          clock += 7;
          const step = stepOf(below, number);
          if (number % 40 === 39) for (const store of stores) await maintain({ store, now });
          const [first = '', ...others] = await Promise.all(
            backends.map((backend) => answerOf(step, backend)),
          );
          for (const [i, other] of others.entries())
            expect(other, `${names[i + 1]}, step ${number}`).toBe(first);
          met.add(/^\{"code":"(\w+)"/.exec(first)?.[1] ?? 'OK');
        }
      },
    );

    it('with errors of every kind', () => {
      expect([...met].sort()).toEqual([
        'ABORTED',
        'ALREADY_EXISTS',
        'FAILED_PRECONDITION',
        'NOT_FOUND',
        'OK',
      ]);
    });
  });
}
