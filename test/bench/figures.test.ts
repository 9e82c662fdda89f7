import { expect, it } from 'vitest';
import { drawing } from '../../bench/drawing.ts';
import { chapter } from '../../bench/figures.ts';

const curve = {
  title: 'One call, by size',
  x: 'events',
  y: 'milliseconds',
  series: {
    'ours & <theirs>': [
      [1000, 0.2],
      [20_000, 0.25],
    ],
    flat: [[1000, 3]],
  } as const,
};

it('a chapter of the page of figures has a table, and its curves as pictures', () => {
  const drawings = new Map<string, string>();
  const rows = [{ what: 'a | b', figures: '1.2 ×', target: '≤ 2' }];
  const text = chapter('local', [{ title: 'Growth', rows, curves: [curve] }], drawings);
  expect(text).toContain(
    '## Growth\n\n| what | figures | target |\n|---|---|---|\n| a \\| b | 1.2 × | ≤ 2 |\n',
  );
  expect(text).toContain('![One call, by size](benchmarks/local-one-call-by-size.svg)');
  expect([...drawings.keys()]).toEqual(['local-one-call-by-size.svg']);
});

it('a curve is drawn inside its picture, on logarithmic axes, with its names in words', () => {
  const svg = drawing(curve);
  expect(svg).toContain('ours &amp; &lt;theirs&gt;');
  const points = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"/g)].map(([, x, y]) => [
    Number(x),
    Number(y),
  ]);
  expect(points).toHaveLength(3);
  for (const [x = -1, y = -1] of points) {
    expect(x).toBeGreaterThanOrEqual(70);
    expect(x).toBeLessThanOrEqual(700);
    expect(y).toBeGreaterThanOrEqual(40);
    expect(y).toBeLessThanOrEqual(350);
  }
  expect(points[0]?.[0]).toBe(points[2]?.[0]);
  expect(svg).not.toMatch(/NaN|Infinity/);
});
