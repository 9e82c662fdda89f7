import type { Curve } from './tools.ts';

const [width, height] = [720, 400];
const [left, right, top, bottom] = [70, 20, 40, 50];
/** Told apart by people who see few colours, too. */
const colours = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#56b4e9', '#e69f00', '#000000', '#999999'];

/** Growth curves as an SVG picture. Both axes are logarithmic, so that what grows in proportion is a straight line. */
export function drawing({ title, x, y, series }: Curve): string {
  const named = Object.entries(series).map(([name, points]) => ({
    name,
    points: points.filter((point) => point.every((n) => n > 0)),
  }));
  const all = named.flatMap(({ points }) => points);
  const [across, up] = [axis(all.map(([n]) => n)), axis(all.map(([, n]) => n))];
  const legend = named.length * 18;
  const atX = (n: number) => left + across.place(n) * (width - left - right);
  const atY = (n: number) => top + (1 - up.place(n)) * (height - top - bottom);
  const parts = [
    label(left, 16, title, 'font-size="15" font-weight="bold"'),
    ...across.ticks.flatMap((n) => [
      line(atX(n), top, atX(n), height - bottom, '#e0e0e0'),
      label(atX(n), height - bottom + 18, n.toLocaleString('en'), 'text-anchor="middle"'),
    ]),
    ...up.ticks.flatMap((n) => [
      line(left, atY(n), width - right, atY(n), '#e0e0e0'),
      label(left - 6, atY(n) + 4, String(n), 'text-anchor="end"'),
    ]),
    label((left + width - right) / 2, height - 10, x, 'text-anchor="middle"'),
    label(14, top - 12, y),
    ...named.flatMap(({ name, points }, i) => {
      const colour = colours[i % colours.length] ?? '#000000';
      const legendAt = height + 8 + i * 18;
      const path = points.map(([a, b]) => `${atX(a).toFixed(1)},${atY(b).toFixed(1)}`);
      return [
        `<polyline points="${path.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`,
        ...path.map((at) => `<circle cx="${at.replace(',', '" cy="')}" r="3" fill="${colour}"/>`),
        `<rect x="${left}" y="${legendAt - 9}" width="12" height="10" fill="${colour}"/>`,
        label(left + 18, legendAt, name),
      ];
    }),
  ];
  const size = `viewBox="0 0 ${width} ${height + legend + 10}" width="${width}" height="${height + legend + 10}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} font-family="sans-serif" font-size="12">
<rect width="100%" height="100%" fill="white"/>
${parts.join('\n')}
</svg>
`;
}

/** Where values stand on a logarithmic axis from 0 to 1, and the powers of ten on it. */
function axis(values: readonly number[]): { place(n: number): number; ticks: number[] } {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  return {
    place: (n) => (Math.log10(n) - low) / (high - low),
    // Not 10 ** n, which is 0.00009999999999999999 for -4.
    ticks: Array.from({ length: high - low + 1 }, (_, i) => Number(`1e${low + i}`)),
  };
}

const line = (x1: number, y1: number, x2: number, y2: number, colour: string): string =>
  `<line x1="${x1.toFixed(1)}" y1="${y1.toFixed(1)}" x2="${x2.toFixed(1)}" y2="${y2.toFixed(1)}" stroke="${colour}"/>`;

const label = (x: number, y: number, text: string, more = ''): string =>
  `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${escaped(text)}</text>`;

const escaped = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
