import type { JWTPayload } from 'jose';
import { SessionError } from '../../errors.ts';
import { checkId } from '../../model/ids.ts';
import { type IssuerTiming, openIssuerKeys } from './issuer-keys.ts';
import { principalOf } from './scopes.ts';
import type { Caller } from './tokens.ts';

export interface OAuthSettings {
  /** Compared with `iss` exactly. Its metadata has the address of the keys. */
  issuer: string;
  /** `aud` must contain one of them. */
  audience: readonly string[];
  /** The address of the keys. Absent: the issuer's metadata has it. */
  jwksUrl?: string | undefined;
  /** The claim that holds the user's id. */
  userClaim: string;
  /** Seconds by which the clocks of issuer and server may differ. */
  clockSkewSeconds: number;
}

/** Accepted algorithms. None is symmetric, so that nobody can use the public key as a shared secret. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** jose's errors for a bad token; any other error means that the keys could not be fetched. */
const tokenFaults =
  /^ERR_(JWT_|JWS_|JWKS_NO_MATCHING_KEY|JWKS_MULTIPLE_MATCHING_KEYS|JOSE_ALG_NOT_ALLOWED|JOSE_NOT_SUPPORTED)/;
const unknownKey = 'ERR_JWKS_NO_MATCHING_KEY';

/**
 * Opens a check for JWTs of one issuer: signature by its published keys, issuer, audience, times and user. The check
 * resolves to undefined for an invalid token.
 * @throws SessionError UNAVAILABLE when the issuer's keys cannot be fetched
 */
export async function openJwts(
  settings: OAuthSettings,
  timing?: Partial<IssuerTiming>,
): Promise<(token: string) => Promise<Caller | undefined>> {
  const { jwtVerify, errors } = await import('jose');
  const keys = await openIssuerKeys(settings, timing);
  return async (token) => {
    try {
      const { payload } = await jwtVerify(token, keys.get, {
        issuer: settings.issuer,
        audience: [...settings.audience],
        algorithms,
        clockTolerance: settings.clockSkewSeconds,
        requiredClaims: ['exp', settings.userClaim],
      });
      return callerOf(payload, settings.userClaim);
    } catch (cause) {
      const isTokenFault =
        cause instanceof errors.JOSEError &&
        tokenFaults.test(cause.code) &&
        // The issuer may have published this key after the last fetch, so the token may be valid.
        !(cause.code === unknownKey && keys.areStale());
      if (isTokenFault) return undefined;
      throw new SessionError('UNAVAILABLE', 'The keys of the token issuer cannot be fetched now.', {
        hint: 'Try again in a moment.',
        retryAfter: keys.retryMs / 1000,
        cause,
      });
    }
  };
}

/** Whether a token has the outer form of a signed JWT. */
export const looksLikeJwt = (token: string): boolean => /^[\w-]+\.[\w-]+\.[\w-]*$/.test(token);

function callerOf(claims: JWTPayload, userClaim: string): Caller | undefined {
  const userId = claims[userClaim];
  if (typeof userId !== 'string') return undefined;
  try {
    return {
      principal: principalOf(checkId('user', userId), scopesOf(claims), { agents: agentsOf(claims) }),
    };
  } catch {
    return undefined;
  }
}

/** The claim `agents`: the authors as which the token may write. One that is no list of texts allows none. */
function agentsOf({ agents }: JWTPayload): string[] | undefined {
  if (agents === undefined) return undefined;
  return Array.isArray(agents) ? agents.filter((name) => typeof name === 'string') : [];
}

/** The scopes of a token: `scope` of RFC 9068, one text; or `scp` of some issuers, a text or a list. */
function scopesOf(claims: JWTPayload): string[] {
  const value = claims.scope ?? claims.scp;
  if (typeof value === 'string') return value.split(' ');
  return Array.isArray(value) ? value.filter((word) => typeof word === 'string') : [];
}
