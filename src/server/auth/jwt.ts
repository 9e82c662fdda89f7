import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { SessionError } from '../../errors.ts';
import { checkId } from '../../model/ids.ts';
import { secureUrl } from '../../net/secure-url.ts';
import { principalOf } from './scopes.ts';
import type { Caller } from './tokens.ts';

export interface OAuthSettings {
  /** Compared with `iss` letter by letter; its metadata names the keys. */
  issuer: string;
  /** One of them must be in `aud`. */
  audience: readonly string[];
  /** Where the keys are. Absent: where the issuer's metadata says (RFC 8414, OpenID Discovery). */
  jwksUrl?: string | undefined;
  /** The claim that is the user. */
  userClaim: string;
  /** Seconds by which clocks may differ. */
  clockSkewSeconds: number;
}

/** Signatures that are accepted. None is symmetric: a public key can never pass for a shared secret. */
const algorithms = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA'];

const fetchMs = 5000;
const retryMs = 5000;
/** Milliseconds between two fetches of the keys for a key id that is new. */
const cooldownMs = 30_000;
const maxMetadataBytes = 200_000;

/** jose's errors that are the token's fault; any other means that the keys could not be had. */
const tokenFaults =
  /^ERR_(JWT_|JWS_|JWKS_NO_MATCHING_KEY|JWKS_MULTIPLE_MATCHING_KEYS|JOSE_ALG_NOT_ALLOWED|JOSE_NOT_SUPPORTED)/;

/**
 * Checks JWTs of one issuer: signature by its published keys, issuer, audience, times, user. Keys are cached
 * for ten minutes and fetched again for a key id that is new, at most every 30 seconds.
 * @returns undefined for a token that is not good
 * @throws SessionError UNAVAILABLE when the issuer's keys cannot be had
 */
export async function openJwts(
  settings: OAuthSettings,
  timing: { cooldownMs: number; retryMs: number } = { cooldownMs, retryMs },
): Promise<(token: string) => Promise<Caller | undefined>> {
  const { createRemoteJWKSet, jwtVerify, errors } = await import('jose');
  let keys: Promise<JWTVerifyGetKey> | undefined;
  const loadKeys = async () =>
    createRemoteJWKSet(new URL(settings.jwksUrl ?? (await discover(settings.issuer))), {
      timeoutDuration: fetchMs,
      cooldownDuration: timing.cooldownMs,
      cacheMaxAge: 600_000,
    });
  const findKeys = () => {
    keys = loadKeys();
    // Looked for again a little later, so that an issuer that is down is not asked for every call.
    keys.catch(() => {
      setTimeout(() => {
        keys = undefined;
      }, timing.retryMs).unref();
    });
    return keys;
  };
  return async (token) => {
    try {
      const getKey = await (keys ?? findKeys());
      const { payload } = await jwtVerify(token, getKey, {
        issuer: settings.issuer,
        audience: [...settings.audience],
        algorithms,
        clockTolerance: settings.clockSkewSeconds,
        requiredClaims: ['exp', settings.userClaim],
      });
      return callerOf(payload, settings.userClaim);
    } catch (cause) {
      if (cause instanceof errors.JOSEError && tokenFaults.test(cause.code)) return undefined;
      throw new SessionError('UNAVAILABLE', 'The keys of the token issuer cannot be had now.', {
        hint: 'Try again in a moment.',
        retryAfter: timing.retryMs / 1000,
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

/** The address of the issuer's keys, from its metadata. */
async function discover(issuer: string): Promise<string> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname === '/' ? '' : pathname.replace(/\/$/, '');
  const places = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
  for (const place of places) {
    const response = await fetch(place, { redirect: 'manual', signal: AbortSignal.timeout(fetchMs) });
    const text = await response.text();
    if (!response.ok || text.length > maxMetadataBytes) continue;
    const found: unknown = JSON.parse(text);
    // Metadata of somebody else would let that somebody sign for this issuer.
    if (typeof found !== 'object' || found === null || !('issuer' in found) || found.issuer !== issuer)
      continue;
    if ('jwks_uri' in found && typeof found.jwks_uri === 'string')
      return secureUrl('jwks_uri', found.jwks_uri);
  }
  throw new Error('No metadata of the issuer names its keys.');
}
