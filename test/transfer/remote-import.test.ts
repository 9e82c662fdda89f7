import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openAdk } from '../../src/backend/adk/index.ts';
import { openAgentEngine } from '../../src/backend/agent-engine/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import { withDeadline } from '../../src/net/deadline.ts';
import { exportSession } from '../../src/transfer/export.ts';
import { type ImportOptions, importSession } from '../../src/transfer/import.ts';
import { startFake } from '../fake/adk/server.ts';
import { typescript } from '../fake/adk/typescript.ts';
import { type FakeAgentEngine, startAgentEngine } from '../fake/agent-engine/server.ts';
import { projectId } from '../fake/agent-engine/store.ts';
import { ada, eventsOf, grow, idle, local, make, save, verb } from './support.ts';

async function engine(): Promise<{ fake: FakeAgentEngine; backend: Backend }> {
  const fake = await startAgentEngine();
  onTestFinished(() => fake.close());
  const backend = await openAgentEngine({
    project: projectId,
    engineId: fake.engine.id,
    baseUrl: fake.url,
    wait: (ms) => sleep(ms / 50),
  });
  onTestFinished(() => backend.close());
  return { fake, backend };
}

async function exported(events: number, withArtifact = false): Promise<string[]> {
  const from = await local();
  const ref = await make(from, 's', {
    state: { topic: 'tea' },
    labels: { kind: 'trip' },
    displayName: 'Trip',
  });
  await grow(
    from,
    ref,
    Array.from({ length: events }, (_, n) => ({ n, 'app:n': n })),
  );
  if (withArtifact) await save(from, ref, 'f.txt', 'one');
  const lines: string[] = [];
  await exportSession(from, ref, async (line) => {
    lines.push(line);
  });
  return lines;
}

async function* bytesOf(lines: Iterable<string>): AsyncGenerator<Uint8Array, void> {
  for (const line of lines) yield Buffer.from(line);
}

const take = (backend: Backend, lines: Iterable<string>, options: Partial<ImportOptions> = {}) =>
  importSession(backend, { ...ada, app: backend.defaultApp ?? ada.app }, bytesOf(lines), {
    signal: idle,
    ...options,
  });

describe('an import into Agent Engine', () => {
  it('keeps what the service can keep, and names the rest', async () => {
    const { fake, backend } = await engine();
    const { session, losses } = await take(backend, await exported(5));
    expect(session).toMatchObject({
      id: 's',
      displayName: 'Trip',
      labels: { kind: 'trip' },
      state: { topic: 'tea', n: 4 },
    });
    expect(session.state).not.toHaveProperty('app:n');
    const events = await eventsOf(backend, { ...ada, app: fake.engine.id, sessionId: 's' });
    expect(events.map(({ id, timestamp }) => [id, timestamp])).toEqual(
      Array.from({ length: 5 }, (_, i) => [`e${i}`, `2026-01-01T00:00:0${i}.000Z`]),
    );
    expect(losses.join(' ')).toMatch(/user: and app: state were removed from 5 events.*createTime/);
  });

  it('is refused before anything is made when the file has artifacts', async () => {
    const { fake, backend } = await engine();
    const refused = take(backend, await exported(2, true));
    await expect(refused).rejects.toMatchObject({
      code: 'UNIMPLEMENTED',
      hint: expect.stringContaining('Nothing'),
    });
    expect(fake.requests).toEqual([]);
  });

  it.each<[string, (fake: FakeAgentEngine) => Partial<ImportOptions>]>([
    [
      'the service refuses an event',
      (fake) => {
        fake.fail({ match: /POST .*:appendEvent/, status: 403 });
        return {};
      },
    ],
    [
      'it is cancelled',
      () => {
        const cancel = new AbortController();
        return { signal: cancel.signal, progress: () => cancel.abort() };
      },
    ],
  ])('is deleted again when %s', async (_what, prepare) => {
    const { fake, backend } = await engine();
    const lines = await exported(150);
    await expect(take(backend, lines, prepare(fake))).rejects.toMatchObject({
      code: expect.stringMatching(/PERMISSION_DENIED|CANCELLED/),
    });
    expect(fake.requests.some((request) => request.rpc?.endsWith('CreateSession'))).toBe(true);
    expect(fake.engine.sessions.size).toBe(0);
    fake.heal();
    expect((await take(backend, lines)).session.id).toBe('s');
  });

  it('is deleted again when the call that it runs for is cancelled, whose requests end with it', async () => {
    const { fake, backend } = await engine();
    const lines = await exported(150);
    const cancel = new AbortController();
    const { signal } = cancel;
    const work = () => take(backend, lines, { signal, progress: () => cancel.abort() });
    await expect(withDeadline({ ms: 60_000, signal }, work)).rejects.toMatchObject({ code: 'CANCELLED' });
    expect(fake.requests.some((request) => request.rpc?.endsWith('CreateSession'))).toBe(true);
    expect(fake.engine.sessions.size).toBe(0);
  });

  it('is deleted again when the file is cut off, and named when that fails', async () => {
    const { fake, backend } = await engine();
    const lines = (await exported(3)).slice(0, 3);
    await expect(take(backend, lines)).rejects.toMatchObject({ message: expect.stringMatching(/^Line 4 /) });
    expect(fake.engine.sessions.size).toBe(0);
    fake.fail({ match: /^DELETE /, status: 403, times: 9 });
    await expect(take(backend, lines)).rejects.toMatchObject({
      message: expect.stringMatching(/^Line 4 .*could not be deleted/),
      details: { sessionId: 's' },
    });
  });
});

it('an import into a backend that takes no events is refused before anything is made', async () => {
  const fake = await startFake(typescript);
  onTestFinished(() => fake.close());
  const backend = await openAdk({ baseUrl: fake.url, defaultApp: 'echo_agent' });
  onTestFinished(() => backend.close());
  await expect(take(backend, await exported(2))).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
  const { items } = await verb(backend.sessions?.list)({ app: 'echo_agent', userId: 'ada', pageSize: 10 });
  expect(items).toEqual([]);
  expect((await take(backend, await exported(0))).session).toMatchObject({
    id: 's',
    state: { topic: 'tea' },
  });
});
