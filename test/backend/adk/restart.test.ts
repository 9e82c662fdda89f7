import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { openAdk } from '../../../src/backend/adk/index.ts';
import type { Backend, SessionRef } from '../../../src/backend/types.ts';
import { openRunManager, type RunManager } from '../../../src/run/manager.ts';
import { fails } from '../../fake/adk/behaviour.ts';
import { go } from '../../fake/adk/go.ts';
import { java } from '../../fake/adk/java.ts';
import { python } from '../../fake/adk/python.ts';
import { type FakeAdk, startFake, type Voice } from '../../fake/adk/server.ts';
import { typescript } from '../../fake/adk/typescript.ts';
import { patiently, user } from '../../run/support.ts';

const silent = { info: () => {}, warn: () => {}, error: () => {} };
const owner = { app: 'echo_agent', userId: 'ada' };
const soon = { ms: 50, signal: new AbortController().signal };

interface Process {
  backend: Backend;
  runs: RunManager;
}

describe.each<[string, Voice]>([
  ['TypeScript', typescript],
  ['Python', python],
  ['Go', go],
  ['Java', java],
])('after a restart, on an ADK server in %s', (label, voice) => {
  let fake: FakeAdk;
  const opened: Backend[] = [];
  afterEach(async () => {
    for (const backend of opened.splice(0)) await backend.close();
    await fake.close();
  });

  /** A backend without memory of the earlier ones, as after a restart. */
  async function start(more: { runIdleMs?: number } = {}): Promise<Process> {
    const backend = await openAdk({ baseUrl: fake.url, ...more });
    opened.push(backend);
    return { backend, runs: openRunManager({ log: silent }) };
  }
  async function session(voiceOf: Voice = voice): Promise<SessionRef> {
    fake = await startFake(voiceOf);
    const { backend } = await start();
    return { ...owner, sessionId: (await backend.sessions?.create?.(owner, {}))?.id ?? '' };
  }
  const ask = async ({ backend, runs }: Process, ref: SessionRef, text: string, invocationId?: string) =>
    runs.start(backend, ref, { message: user(text), invocationId });
  const runsOf = () => fake.requests.filter((line) => line.endsWith('/run_sse')).length;

  it('a run is found by its id, and no repeated call begins it again', async () => {
    const ref = await session();
    const before = await start();
    const minted = await ask(before, ref, 'first');
    await minted.wait(patiently);
    const own = await (await ask(before, ref, 'hello', 'own')).wait(patiently);
    await (await ask(before, ref, 'last', 'other')).wait(patiently);
    expect(runsOf()).toBe(3);

    const after = await start();
    const found = await after.runs.find(after.backend, ref, 'own');
    expect(await found?.wait(patiently)).toMatchObject({
      status: 'completed',
      invocationId: 'own',
      text: own.text,
      events: own.events.map(({ id }) => ({ id })),
    });
    const seen = await after.runs.find(after.backend, ref, minted.invocationId);
    expect(await seen?.wait(patiently)).toMatchObject({ status: 'completed', text: 'echo: first' });
    const again = await ask(after, ref, 'hello', 'own');
    expect(again.begun).toBe(false);
    expect(await again.wait(patiently)).toMatchObject({ status: 'completed', text: own.text });
    await fails(ask(after, ref, 'another message', 'own'), 'ALREADY_EXISTS');
    expect(await after.runs.find(after.backend, ref, 'nosuch')).toBeUndefined();
    expect(runsOf()).toBe(3);
  });

  it('a run that waits for an answer to its call has come to its end', async () => {
    const ref = await session();
    const before = await start();
    await (await ask(before, ref, 'ask', 'own')).wait(patiently);
    const after = await start({ runIdleMs: 100 });
    const found = await after.runs.find(after.backend, ref, 'own');
    expect(await found?.wait(patiently)).toMatchObject({ status: 'completed' });
  });

  it('a run without an end may go on until it was silent for long, and is interrupted then', async () => {
    const ref = await session();
    const before = await start();
    await (await ask(before, ref, 'fail', 'own')).wait(patiently);

    const after = await start();
    const found = await after.runs.find(after.backend, ref, 'own');
    expect(await found?.wait(soon)).toMatchObject({ status: 'running' });
    if (found !== undefined) await fails(found.cancel(), 'FAILED_PRECONDITION');
    expect((await ask(after, ref, 'fail', 'own')).begun).toBe(false);

    // Go servers write times in whole seconds.
    await sleep(label === 'Go' ? 1_100 : 120);
    const later = await start({ runIdleMs: 100 });
    const lost = await later.runs.find(later.backend, ref, 'own');
    expect(await lost?.wait(patiently)).toMatchObject({ status: 'interrupted' });
    expect((await ask(later, ref, 'fail', 'own')).begun).toBe(true);
  });

  it('a run that has said something is not over for that', async () => {
    const ref = await session();
    const before = await start();
    const begun = await ask(before, ref, 'slow 3 150', 'own');
    while (fake.core.find(ref, ref.sessionId)?.events.length !== 2) await sleep(10);
    await before.runs.endAll(before.backend);
    expect((await begun.wait(patiently)).status).toBe('interrupted');
    await before.backend.close();

    const after = await start({ runIdleMs: 2_500 });
    const found = await after.runs.find(after.backend, ref, 'own');
    expect(await found?.wait(soon)).toMatchObject({
      status: 'running',
      text: expect.stringContaining('tick 0') as unknown,
    });
    const all = { status: 'completed', text: 'tick 0\ntick 1\ntick 2' };
    // Other servers end the run when the client disconnects.
    if (voice.runsOnAfterDisconnect) expect(await found?.wait(patiently)).toMatchObject(all);
  });

  it('the mark is not seen, and nobody sets it but a run', async () => {
    const ref = await session();
    const { backend, runs } = await start();
    const stateDelta = { a: 1 };
    await (await runs.start(backend, ref, { message: user('hello'), stateDelta })).wait(patiently);
    const key = Object.keys(fake.core.list(owner)[0]?.own ?? {}).find((name) => name.startsWith('__')) ?? '';
    expect(key).not.toBe('');
    const shown = [
      await backend.sessions?.get?.(ref),
      await backend.sessions?.list?.({ ...owner, pageSize: 10 }),
      await backend.events?.list?.(ref, { pageSize: 100 }),
    ];
    expect(JSON.stringify(shown)).not.toContain(key);
    expect(JSON.stringify(shown)).toContain('"stateDelta":{"a":1}');

    const state = { [key]: { invocationId: 'forged', digest: 'x' } };
    const forged = await runs.start(backend, ref, { message: user('hello'), stateDelta: state });
    expect(await forged.wait(patiently)).toMatchObject({
      status: 'failed',
      error: { code: 'INVALID_ARGUMENT' },
    });
    await fails(
      backend.query?.call?.(
        owner,
        { classMethod: 'run', input: { sessionId: ref.sessionId, message: 'hello', stateDelta: state } },
        soon.signal,
      ),
      'INVALID_ARGUMENT',
    );
    await fails(backend.sessions?.create?.(owner, { state }), 'INVALID_ARGUMENT');
    if (backend.sessions?.update !== undefined)
      await fails(backend.sessions.update(ref, { state: { a: 1, ...state } }), 'INVALID_ARGUMENT');
    expect(await (await start()).runs.find(backend, ref, 'forged')).toBeUndefined();
  });

  it('a server that drops the mark is as before', async () => {
    const ref = await session({
      ...voice,
      session(stored, core) {
        const events = stored.events.map((event) => ({
          ...event,
          actions: { ...event.actions, stateDelta: {} },
        }));
        return voice.session({ ...stored, events }, core);
      },
    });
    const before = await start();
    await (await ask(before, ref, 'hello', 'own')).wait(patiently);
    expect(await before.runs.find(before.backend, ref, 'own')).toBeDefined();
    const after = await start();
    expect(await after.runs.find(after.backend, ref, 'own')).toBeUndefined();
    expect((await ask(after, ref, 'hello', 'own')).begun).toBe(true);
  });
});
