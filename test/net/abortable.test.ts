import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { abortable } from '../../src/net/abortable.ts';

it('gives what the promise gives, or the reason of the signal', async () => {
  const { signal } = new AbortController();
  expect(await abortable(Promise.resolve(1), signal)).toBe(1);
  await expect(abortable(Promise.reject(new Error('no')), signal)).rejects.toThrow('no');
  const controller = new AbortController();
  const waiting = abortable(new Promise(() => {}), controller.signal);
  controller.abort(new Error('stop'));
  await expect(waiting).rejects.toThrow('stop');
  await expect(abortable(new Promise(() => {}), controller.signal)).rejects.toThrow('stop');
});

it('keeps nothing of a long stream', async () => {
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const { signal } = new AbortController();
  gc();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 20_000; i += 1)
    await abortable(Promise.resolve(`${i}${'x'.repeat(500)}`.split('')), signal);
  gc();
  expect((process.memoryUsage().heapUsed - before) / 1e6).toBeLessThan(5);
});
