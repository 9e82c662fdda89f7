import type { Log } from '../../log.ts';
import type { Principal } from '../../model/principal.ts';
import { looksLikeJwt, type OAuthSettings, openJwts } from './jwt.ts';
import { openTokens } from './tokens.ts';

export type Verdict =
  | { kind: 'caller'; principal: Principal }
  /** Leads to a 401. `presented`: whether there was a token at all. */
  | { kind: 'refused'; presented: boolean };

/** Identifies the caller by an Authorization header. @throws SessionError UNAVAILABLE when that is impossible now */
export type Authenticate = (authorization: string | undefined) => Promise<Verdict>;

export interface AuthSettings {
  tokens?: string | undefined;
  oauth?: OAuthSettings | undefined;
}

/** The scope that every request needs. */
export const entryScope = 'sessions:read';

/** RFC 6750: the scheme in any case, one token68. */
const bearer = /^bearer +([\w.~+/-]+=*)$/i;

/** Opens the configured kinds of authentication; undefined when none is configured. */
export async function openAuth(settings: AuthSettings, log: Log): Promise<Authenticate | undefined> {
  const { tokens: source, oauth } = settings;
  if (source === undefined && oauth === undefined) return undefined;
  const tokens = source === undefined ? undefined : await openTokens(source, log);
  const jwts = oauth === undefined ? undefined : await openJwts(oauth);
  return async (authorization) => {
    const token = bearer.exec(authorization ?? '')?.[1];
    if (token === undefined) return { kind: 'refused', presented: authorization !== undefined };
    const known = await tokens?.(token);
    const caller = known ?? (jwts !== undefined && looksLikeJwt(token) ? await jwts(token) : undefined);
    return caller === undefined ? { kind: 'refused', presented: true } : { kind: 'caller', ...caller };
  };
}
