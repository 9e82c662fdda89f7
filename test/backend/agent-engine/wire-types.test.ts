import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { target, wireTypes } from '../../../scripts/wire-types.ts';

/** What the formatter may change: where lines break, and commas before a bracket that ends a line. */
const unformatted = (source: string): string =>
  source
    .replace(/\s+/g, '')
    .replace(/,([}\])])/g, '$1')
    .replace(/=\|/g, '=');

it('the wire types are what the vendored descriptors say', () => {
  const fresh = unformatted(readFileSync(target, 'utf8')) === unformatted(wireTypes());
  expect(fresh, 'wire-types.ts is stale: run `npm run wire-types`.').toBe(true);
});
