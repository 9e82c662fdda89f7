import { type AccessScope, accessScopes, type Principal } from '../../model/principal.ts';

/** The scopes that each scope includes. */
const implied: Record<AccessScope, readonly AccessScope[]> = {
  'sessions:read': ['sessions:read'],
  'sessions:write': ['sessions:read', 'sessions:write'],
  'sessions:admin': accessScopes,
};

/** A principal with the given scopes. Words that are not scopes of this server are ignored. */
export function principalOf(
  userId: string,
  words: readonly string[],
  { name = userId, agents }: Pick<Principal, 'name' | 'agents'> = {},
): Principal {
  const scopes = new Set(accessScopes.filter((s) => words.includes(s)).flatMap((s) => implied[s]));
  const admin = scopes.has('sessions:admin');
  return { userId, scopes: [...scopes], admin, name, ...(agents === undefined ? {} : { agents }) };
}
