import { describe, expect, it } from 'vitest';
import type { Backend, RunInput, SessionRef } from '../../src/backend/types.ts';
import { SessionError } from '../../src/errors.ts';
import type { Event, NewEvent } from '../../src/model/event.ts';
import { forever, logged, owner, patiently, runs, underWay, user } from './support.ts';

const ref: SessionRef = { ...owner, sessionId: 's' };
const event = (text: string, more: Partial<Event> = {}): Event => ({
  id: 'e',
  author: 'model',
  invocationId: 'theirs',
  timestamp: '2026-11-21T09:00:00.000Z',
  content: { role: 'model', parts: [{ text }] },
  ...more,
});

/** A service that keeps its own sessions and no account of runs. */
function service(stream: (input: RunInput, signal: AbortSignal) => AsyncGenerator<Event, void>) {
  const appended: NewEvent[] = [];
  const backend: Backend = {
    name: 'remote',
    describe: async () => ({ name: 'remote', location: '', capabilities: [], notes: [] }),
    close: async () => {},
    query: { stream: (_ref, input, signal) => stream(input, signal) },
    events: {
      async append(_ref, given) {
        appended.push(given);
        return { event: event(''), session: { id: 's', updateTime: '' } };
      },
    },
  };
  return { backend, appended };
}

function hanging() {
  const signals: AbortSignal[] = [];
  return {
    signals,
    ...service(async function* (_input, signal) {
      signals.push(signal);
      yield event('so ', { partial: true });
      await new Promise((resolve) => signal.addEventListener('abort', resolve));
      throw new SessionError('CANCELLED', 'Cancelled.');
    }),
  };
}

describe('runs of a service that keeps no account of them', () => {
  it('say what a cancellation may not have ended', async () => {
    const { backend } = hanging();
    const run = await runs.start({ ...backend, cancelNote: 'It may go on.' }, ref, { message: user('hi') });
    await run.cancel();
    expect(await run.wait(patiently)).toMatchObject({ status: 'cancelled', note: 'It may go on.' });
    const other = await runs.start(backend, ref, { message: user('hi') });
    await other.cancel();
    expect((await other.wait(patiently)).note).toBeUndefined();
  });

  it('give what the service says, without the user’s own words', async () => {
    const { backend, appended } = service(async function* (input) {
      yield event(input.message.parts[0]?.text ?? '', { author: 'user' });
      yield event('one', { partial: true });
      yield event('one two');
    });
    const heard: string[] = [];
    const run = await runs.start(backend, ref, { message: user('hi'), invocationId: 'mine' });
    const view = await run.wait({ ...patiently, onText: (text) => heard.push(text) });
    expect(view).toMatchObject({
      status: 'completed',
      invocationId: 'mine',
      text: 'one two',
      events: [{ invocationId: 'theirs' }],
    });
    expect(heard.join('')).toMatch(/^one/);
    expect(appended).toEqual([]);
    expect(await (await runs.find(backend, ref, 'mine'))?.wait(patiently)).toEqual(view);
    expect(
      await (await runs.start(backend, ref, { message: user('hi'), invocationId: 'mine' })).wait(patiently),
    ).toEqual(view);
    await expect(
      runs.start(backend, ref, { message: user('something else'), invocationId: 'mine' }),
    ).rejects.toMatchObject({ code: 'ALREADY_EXISTS' });
  });

  it('are one at a time in this process, and go on without a caller', async () => {
    const { backend, signals } = hanging();
    const run = await runs.start(backend, ref, { message: user('hi') });
    await expect(runs.start(backend, ref, { message: user('hi') })).rejects.toMatchObject({
      code: 'ABORTED',
      details: { invocationId: run.invocationId },
    });
    await underWay(run);
    expect(await run.wait({ ms: 0, signal: forever })).toMatchObject({ status: 'running', text: 'so ' });
    expect(signals[0]?.aborted).toBe(false);
    await run.cancel();
  });

  it('cancelled are stopped there, and what the service cannot know is appended', async () => {
    const { backend, appended, signals } = hanging();
    const run = await runs.start(backend, ref, { message: user('hi') });
    await underWay(run);
    await run.cancel();
    expect(signals[0]?.aborted).toBe(true);
    expect(appended).toMatchObject([
      { author: 'model', interrupted: true, errorCode: 'CANCELLED', content: { parts: [{ text: 'so ' }] } },
    ]);
    expect(await run.wait(patiently)).toMatchObject({ status: 'cancelled' });
  });

  it('are interrupted with the server, and not without a word', async () => {
    const { backend, appended } = hanging();
    const run = await runs.start(backend, ref, { message: user('hi') });
    await underWay(run);
    logged.splice(0);
    await runs.endAll(backend);
    expect(await run.wait(patiently)).toMatchObject({ status: 'interrupted' });
    // Said in the session, where the service takes events, and to the operator in any case.
    expect(appended).toMatchObject([
      { interrupted: true, errorCode: 'ABORTED', content: { parts: [{ text: 'so ' }] } },
    ]);
    expect(logged).toMatchObject([
      { level: 'warn', fields: { backend: 'remote', sessionId: 's', invocationId: run.invocationId } },
    ]);
  });

  it('fail with the service’s error, and may be tried again', async () => {
    let attempts = 0;
    const { backend } = service(async function* () {
      attempts += 1;
      if (attempts === 1) throw new SessionError('UNAVAILABLE', 'Away.', { hint: 'Later.' });
      yield event('here');
    });
    const ask = async () =>
      (await runs.start(backend, ref, { message: user('hi'), invocationId: 'mine' })).wait(patiently);
    expect(await ask()).toMatchObject({ status: 'failed', error: { code: 'UNAVAILABLE' } });
    expect(await ask()).toMatchObject({ status: 'completed', text: 'here' });
  });

  it('need a message', async () => {
    const { backend } = hanging();
    for (const [request, code] of [
      [{}, 'INVALID_ARGUMENT'],
      [{ invocationId: 'unknown' }, 'NOT_FOUND'],
    ] as const)
      await expect(runs.start(backend, ref, request)).rejects.toMatchObject({ code });
  });

  it('keep no more than an answer needs of a run without end', async () => {
    const { backend } = service(async function* () {
      for (let i = 0; i < 500; i += 1) yield event(`${i} ${'x'.repeat(10_000)}`);
    });
    const view = await (await runs.start(backend, ref, { message: user('hi') })).wait(patiently);
    expect(view.events).toHaveLength(200);
    expect(view.truncated).toBe(true);
    expect(Buffer.byteLength(JSON.stringify(view))).toBeLessThan(1_000_000);
  });
});
