import { SessionError } from '../../errors.ts';
import { isObject } from '../../model/json.ts';
import type { Backend } from './backend.ts';

type Group =
  | 'apps'
  | 'sessions'
  | 'events'
  | 'turns'
  | 'toolCalls'
  | 'artifacts'
  | 'memory'
  | 'query'
  | 'feedback';
type VerbsOf<G extends Group> = NonNullable<Backend[G]>;

/** `group.verb`, the name of one capability. */
export type Capability = { [G in Group]: `${G}.${string & keyof VerbsOf<G>}` }[Group];

const groups: readonly Group[] = [
  'apps',
  'sessions',
  'events',
  'turns',
  'toolCalls',
  'artifacts',
  'memory',
  'query',
  'feedback',
];

export function capabilitiesOf(backend: Backend): Capability[] {
  return groups.flatMap((group) =>
    Object.entries(backend[group] ?? {})
      .filter(([, verb]) => typeof verb === 'function')
      .map(([name]) => `${group}.${name}` as Capability),
  );
}

// Asked for every call: looks only at what is asked about.
export function supports(backend: Backend, capability: Capability): boolean {
  const dot = capability.indexOf('.');
  const verbs: unknown = backend[capability.slice(0, dot) as Group];
  return isObject(verbs) && typeof verbs[capability.slice(dot + 1)] === 'function';
}

/**
 * A verb that the backend has, or the error that says who has it.
 * @throws SessionError UNIMPLEMENTED
 */
export function required<T>(verb: T | undefined, backend: Backend, what: string, hint?: string): T {
  if (verb === undefined)
    throw new SessionError('UNIMPLEMENTED', `The ${backend.name} backend cannot ${what}.`, {
      hint: hint ?? 'Call describe_server to see which backend can.',
    });
  return verb;
}
