import { setTimeout as sleep } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { textFlow } from '../../src/run/coalesce-text.ts';

function recorder() {
  const sent: { text: string; at: number }[] = [];
  return { sent, send: (text: string) => void sent.push({ text, at: performance.now() }) };
}

it('sends the first piece at once and the others at most every 50 ms, losing nothing', async () => {
  const { sent, send } = recorder();
  const flow = textFlow(send);
  flow.push('0 ');
  expect(sent).toHaveLength(1);
  for (let i = 1; i <= 40; i += 1) {
    await sleep(5);
    flow.push(`${i} `);
  }
  flow.flush();
  expect(sent.map(({ text }) => text).join('')).toBe(Array.from({ length: 41 }, (_, i) => `${i} `).join(''));
  const gaps = sent.slice(1, -1).map(({ at }, i) => at - (sent[i]?.at ?? 0));
  expect(gaps.length).toBeGreaterThan(1);
  // Timers may fire a millisecond early.
  for (const gap of gaps) expect(gap).toBeGreaterThanOrEqual(48);
});

it('sends at once again after a pause', async () => {
  const { sent, send } = recorder();
  const flow = textFlow(send, 20);
  flow.push('a');
  await sleep(60);
  flow.push('b');
  expect(sent.map(({ text }) => text)).toEqual(['a', 'b']);
  await sleep(60);
  expect(sent).toHaveLength(2);
});

it('sends no half of a character, which strict readers of JSON refuse', async () => {
  const { sent, send } = recorder();
  const flow = textFlow(send, 10);
  const [high = '', low = ''] = '😀'.split('');
  for (const piece of [`a${high}`, low, `b${high}`]) {
    flow.push(piece);
    await sleep(30);
  }
  flow.push(`${low}${high}`);
  flow.flush();
  expect(sent.every(({ text }) => text.isWellFormed())).toBe(true);
  expect(sent.map(({ text }) => text).join('')).toBe('a😀b😀');
});

it('keeps each message small', () => {
  const { sent, send } = recorder();
  textFlow(send).push('x'.repeat(100_000));
  expect(sent[0]?.text.length).toBeLessThanOrEqual(4001);
});
