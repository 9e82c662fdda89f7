import type { JWTPayload } from 'jose';
import { SessionError } from '../../errors.ts';
import { checkId } from '../../model/ids.ts';
import { type IssuerTiming, openIssuerKeys } from './issuer-keys.ts';
import { principalOf } from './scopes.ts';
import type { Caller } from './tokens.ts';

export interface OAuthSettings {
  /** Compared with `iss` letter by letter; its metadata names the keys. */
  issuer: string;
  /** One of them must be in `aud`. */
  audience: readonly string[];
  /** Where the keys are. Absent: where the issuer's metadata says. */
  jwksUrl?: string | undefined;
  /** The claim that is the user. */
  userClaim: string;
  /** Seconds by which clocks may differ. */
  clockSkewSeconds: number;
}

/** Signatures that are accepted. None is symmetric: a public key can never pass for a shared secret. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

/** jose's errors that are the token's fault; any other error means that the keys could not be fetched. */
const tokenFaults =
  /^ERR_(JWT_|JWS_|JWKS_NO_MATCHING_KEY|JWKS_MULTIPLE_MATCHING_KEYS|JOSE_ALG_NOT_ALLOWED|JOSE_NOT_SUPPORTED)/;
const unknownKey = 'ERR_JWKS_NO_MATCHING_KEY';

/**
 * Checks JWTs of one issuer: signature by its published keys, issuer, audience, times, user.
 * @returns undefined for a token that is not good
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
        // The issuer may have published the key since, and it cannot be asked: the token is not at fault.
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
    return { principal: principalOf(checkId('user', userId), scopesOf(claims)) };
  } catch {
    return undefined;
  }
}

/** `scope` of RFC 9068, one text; or `scp`, as some issuers write it, a text or a list. */
function scopesOf(claims: JWTPayload): string[] {
  const value = claims.scope ?? claims.scp;
  if (typeof value === 'string') return value.split(' ');
  return Array.isArray(value) ? value.filter((word) => typeof word === 'string') : [];
}
