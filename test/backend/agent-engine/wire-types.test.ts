import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { target, wireTypes } from '../../../scripts/wire-types.ts';

/** Removes what the formatter may change: line breaks, and commas before a closing bracket. */
const unformatted = (source: string): string =>
  source
    .replace(/\s+/g, '')
    .replace(/,([}\])])/g, '$1')
    .replace(/=\|/g, '=');

it('the wire types are what the vendored descriptors say', () => {
  const fresh = unformatted(readFileSync(target, 'utf8')) === unformatted(wireTypes());
  expect(fresh, 'wire-types.ts is stale: run `npm run wire-types`.').toBe(true);
});
