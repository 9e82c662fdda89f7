import { type AccessScope, accessScopes, type Principal } from '../../model/principal.ts';

/** What each scope brings along: who may write may read, and an admin may do both. */
const implied: Record<AccessScope, readonly AccessScope[]> = {
  'sessions:read': ['sessions:read'],
  'sessions:write': ['sessions:read', 'sessions:write'],
  'sessions:admin': accessScopes,
};

/** A principal with the scopes that the given words stand for; other words mean nothing here. */
export function principalOf(userId: string, words: readonly string[]): Principal {
  const scopes = new Set(accessScopes.filter((s) => words.includes(s)).flatMap((s) => implied[s]));
  return { userId, scopes: [...scopes], admin: scopes.has('sessions:admin') };
}
