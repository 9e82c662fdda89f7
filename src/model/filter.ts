import { invalidArgument } from '../errors.ts';
import type { Session } from './session.ts';

/**
 * The filter of list_sessions: `displayName="x" AND labels.env="dev"`, the part of AIP-160 that Agent Engine
 * takes (docs/protocols/agent-engine.md, "Sessions"). snake_case names are understood too. All terms must hold.
 */
export interface FilterTerm {
  field: 'displayName' | 'userId' | 'label';
  /** The label's key; empty for the other fields. */
  key: string;
  value: string;
}

const term = /^\s*([A-Za-z_]+)(?:\.([a-z0-9_-]{1,64}))?\s*=\s*"((?:[^"\\]|\\.)*)"\s*/;
const fields: Record<string, FilterTerm['field']> = {
  displayName: 'displayName',
  display_name: 'displayName',
  userId: 'userId',
  user_id: 'userId',
  labels: 'label',
};

/** @throws SessionError INVALID_ARGUMENT */
export function parseFilter(text: string): FilterTerm[] {
  const terms: FilterTerm[] = [];
  let rest = text;
  do {
    const match = term.exec(rest);
    const name = match?.[1] ?? '';
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (!match || field === undefined || (field === 'label') !== (match[2] !== undefined))
      throw invalidArgument(
        'The filter cannot be read.',
        'Write terms such as displayName="Trip" or labels.env="dev", joined by AND.',
      );
    terms.push({ field, key: match[2] ?? '', value: (match[3] ?? '').replace(/\\(.)/g, '$1') });
    rest = rest.slice(match[0].length);
    const and = /^AND\s/.exec(rest);
    if (rest !== '' && !and) throw invalidArgument('The filter has text after a term.', 'Join terms by AND.');
    rest = rest.slice(and?.[0].length ?? 0);
    if (and && rest.trim() === '')
      throw invalidArgument('The filter ends with AND.', 'Add a term or drop the AND.');
  } while (rest !== '');
  return terms;
}

export function matchesFilter(session: Session, terms: readonly FilterTerm[]): boolean {
  return terms.every((t) => {
    if (t.field === 'label')
      return Object.hasOwn(session.labels ?? {}, t.key) && session.labels?.[t.key] === t.value;
    return session[t.field] === t.value;
  });
}
