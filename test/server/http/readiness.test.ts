import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { createReadiness } from '../../../src/server/http/readiness.ts';
import { memoryBackend } from '../../tools/harness.ts';

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

it('asks a backend at most once a second, however often it is looked at', async () => {
  const backend = await memoryBackend();
  let asked = 0;
  const ready = createReadiness(
    {
      ...backend,
      async ready() {
        asked += 1;
      },
    },
    'default',
    'ann',
  );
  await Promise.all([ready(), ready(), ready()]);
  vi.advanceTimersByTime(999);
  await ready();
  expect(asked).toBe(1);
  vi.advanceTimersByTime(1);
  await ready();
  expect(asked).toBe(2);
  await backend.close();
});

it('is not ready where the backend does not answer within two seconds, and is again when it does', async () => {
  const backend = await memoryBackend();
  let isSilent = true;
  const answer = () => (isSilent ? new Promise<void>(() => {}) : Promise.resolve());
  const ready = createReadiness({ ...backend, ready: answer }, 'default', 'ann');
  const first = expect(ready()).rejects.toThrow(/did not answer/);
  await vi.advanceTimersByTimeAsync(2000);
  await first;
  isSilent = false;
  await ready();
  await backend.close();
});
