import type { FetchImplementation, JWTVerifyGetKey } from 'jose';
import { isObject } from '../../model/json.ts';
import { secureUrl } from '../../net/secure-url.ts';

export interface IssuerTiming {
  /** Milliseconds that one request to the issuer may take. */
  fetchMs: number;
  /** Milliseconds between a failed fetch and the next, so that not every call asks an issuer that is down. */
  retryMs: number;
  /** Milliseconds between two fetches that tokens with an unknown key cause. */
  cooldownMs: number;
  /** Milliseconds for which fetched keys are used without asking again. */
  freshMs: number;
  /** Milliseconds for which the last keys are used while the issuer cannot be reached. */
  staleMs: number;
}

const defaultTiming: IssuerTiming = {
  fetchMs: 5000,
  retryMs: 5000,
  cooldownMs: 30_000,
  freshMs: 600_000,
  staleMs: 3_600_000,
};

export interface IssuerKeys {
  /** Finds the key that signed a token. */
  get: JWTVerifyGetKey;
  /** Whether the keys in use are older than they should be, because the issuer could not be reached. */
  areStale(): boolean;
  retryMs: number;
}

const maxBytes = 200_000;

/**
 * The keys of an issuer, found by its metadata. Every fetch reads the metadata again, so that keys that moved are
 * found. While the issuer cannot be reached, the last keys stay in use for an hour.
 */
export async function openIssuerKeys(
  { issuer, jwksUrl }: { issuer: string; jwksUrl?: string | undefined },
  given: Partial<IssuerTiming> = {},
): Promise<IssuerKeys> {
  const { createRemoteJWKSet, customFetch } = await import('jose');
  const timing = { ...defaultTiming, ...given };
  let address = jwksUrl;
  let last: { keys: string; at: number } | undefined;
  let failure: { error: unknown; at: number } | undefined;

  async function fetchKeys(): Promise<string> {
    if (failure !== undefined && performance.now() - failure.at < timing.retryMs) throw failure.error;
    try {
      const found = jwksUrl ?? (await findKeys(issuer, timing.fetchMs)) ?? address;
      if (found === undefined) throw new Error('The metadata of the issuer has no jwks_uri.');
      const keys = await fetchText(found, timing.fetchMs);
      const parsed = jsonOf(keys);
      if (!isObject(parsed) || !Array.isArray(parsed.keys))
        throw new Error('The answer of the issuer is not a JSON Web Key Set.');
      address = found;
      last = { keys, at: performance.now() };
      failure = undefined;
      return keys;
    } catch (error) {
      failure = { error, at: performance.now() };
      throw error;
    }
  }

  // jose caches keys and fetches them again for an unknown one; this is its fetch.
  const answer: FetchImplementation = async () => {
    const keys = await fetchKeys().catch((error: unknown) => {
      if (last === undefined || performance.now() - last.at > timing.staleMs) throw error;
      return last.keys;
    });
    return new Response(keys);
  };
  const get = createRemoteJWKSet(new URL(jwksUrl ?? issuer), {
    // fetchText has a time-out for each request, so this one only has to be longer than all of them.
    timeoutDuration: 4 * timing.fetchMs,
    cooldownDuration: timing.cooldownMs,
    cacheMaxAge: timing.freshMs,
    [customFetch]: answer,
  });
  return { get, areStale: () => failure !== undefined, retryMs: timing.retryMs };
}

/**
 * The address of an issuer's keys, from the first of its metadata documents that can be fetched: RFC 8414, OpenID
 * Discovery.
 */
async function findKeys(issuer: string, fetchMs: number): Promise<string | undefined> {
  const { origin, pathname } = new URL(issuer);
  const path = pathname.replace(/\/$/, '');
  const addresses = [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    `${origin}${path}/.well-known/openid-configuration`,
  ];
  const asked = [...new Set(addresses)].map((address) =>
    fetchText(address, fetchMs).then(
      (text) => keysNamedBy(text, issuer),
      () => undefined,
    ),
  );
  for (const found of asked) {
    const address = await found;
    if (address !== undefined) return address;
  }
  return undefined;
}

function keysNamedBy(metadata: string, issuer: string): string | undefined {
  const found = jsonOf(metadata);
  // Metadata that names another issuer would let that one sign tokens for this issuer.
  if (!isObject(found) || found.issuer !== issuer || typeof found.jwks_uri !== 'string') return undefined;
  try {
    return secureUrl('jwks_uri', found.jwks_uri);
  } catch {
    return undefined;
  }
}

async function fetchText(address: string, fetchMs: number): Promise<string> {
  const response = await fetch(address, { redirect: 'manual', signal: AbortSignal.timeout(fetchMs) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${address} answered ${response.status}.`);
  if (text.length > maxBytes) throw new Error(`${address} answered too much.`);
  return text;
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
