import { timestamp } from './check.ts';
import { GoogleError } from './google-error.ts';
import { instantOf } from './store.ts';

export interface Term {
  field: string;
  operator: string;
  value: string;
}

const term = /^\s*([A-Za-z_]+(?:\.[A-Za-z0-9_-]+)?)\s*(>=|<=|>|<|=)\s*"((?:[^"\\]|\\.)*)"\s*/;

/** `a="x" AND b>="y"`. @throws GoogleError */
export function parseTerms(filter: string | undefined, fields: RegExp): Term[] {
  const terms: Term[] = [];
  let rest = filter ?? '';
  while (rest !== '') {
    const match = term.exec(rest);
    const [all, field, operator, value] = match ?? [];
    if (
      all === undefined ||
      field === undefined ||
      operator === undefined ||
      value === undefined ||
      !fields.test(field)
    )
      throw new GoogleError('INVALID_ARGUMENT', `Invalid filter: ${filter}`);
    terms.push({ field, operator, value: value.replace(/\\(.)/g, '$1') });
    rest = rest.slice(all.length);
    if (rest === '') break;
    if (!rest.startsWith('AND ')) throw new GoogleError('INVALID_ARGUMENT', `Invalid filter: ${filter}`);
    rest = rest.slice(4);
  }
  return terms;
}

/** A test for times against `timestamp>="…"` terms. */
export function timeTest(filter: string | undefined): (instant: string) => boolean {
  const terms = parseTerms(filter, /^timestamp$/).map(({ operator, value }) => {
    const time = timestamp(value);
    if (time === undefined) throw new GoogleError('INVALID_ARGUMENT', `Invalid filter: ${filter}`);
    return { operator, instant: instantOf(time) };
  });
  return (instant) =>
    terms.every((wanted) => {
      if (wanted.operator === '>=') return instant >= wanted.instant;
      if (wanted.operator === '>') return instant > wanted.instant;
      if (wanted.operator === '<=') return instant <= wanted.instant;
      if (wanted.operator === '<') return instant < wanted.instant;
      return instant === wanted.instant;
    });
}
