import { SessionError } from '../../errors.ts';
import { isObject } from '../../model/json.ts';
import { withoutDeadline } from '../../net/deadline.ts';
import { type Credentials, type HttpClientOptions, httpClient, retryAfterOf } from '../../net/http.ts';
import type { VectaraSettings } from './config.ts';

/** Milliseconds before a token expires at which the next one is fetched. */
const earlyMs = 60_000;

/**
 * The credentials of each request: an API key in `x-api-key`, or an OAuth token of the client credentials grant
 * (docs/protocols/vectara.md, "Access"). All requests share one token. It is fetched once, however many requests
 * wait for it, and replaced a minute before it expires or when the service refuses it.
 */
export function credentialHeaders(
  settings: VectaraSettings,
  now: () => number,
): HttpClientOptions['headers'] {
  const { credentials } = settings;
  if ('apiKey' in credentials) return async () => ({ 'x-api-key': credentials.apiKey });
  const { clientId, clientSecret } = credentials;
  const http = httpClient({
    service: 'Vectara token service',
    baseUrl: credentials.tokenUrl,
    headers: async () => ({}),
    toError: tokenError,
    timeoutMs: settings.timeoutMs,
    maxBytes: 64 * 1024,
  });
  let current: { headers: Credentials; renewAt: number } | undefined;
  let pending: Promise<Credentials> | undefined;

  async function fetchToken(): Promise<Credentials> {
    const answer = await http.json({
      method: 'POST',
      path: '',
      // Asking twice for a token does no harm.
      retry: 'read',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: clientId,
        client_secret: clientSecret,
      }),
    });
    const token = isObject(answer) ? answer.access_token : undefined;
    if (!isObject(answer) || typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))
      throw new SessionError('UNAVAILABLE', 'The Vectara token service answered without a token.', {
        hint: 'Check that the token address is right.',
      });
    const lifeMs = (typeof answer.expires_in === 'number' ? answer.expires_in : 1800) * 1000;
    const headers = { authorization: `Bearer ${token}` };
    current = { headers, renewAt: now() + Math.max(lifeMs / 2, lifeMs - earlyMs) };
    return headers;
  }

  return async (refused) => {
    const isRefused = refused !== undefined && refused.authorization === current?.headers.authorization;
    if (current !== undefined && now() < current.renewAt && !isRefused) return current.headers;
    // All waiting calls share it, so the deadline of the call that came first must not end it.
    pending ??= withoutDeadline(fetchToken).finally(() => {
      pending = undefined;
    });
    return pending;
  };
}

/** The credentials as one line. An OAuth client's first token is fetched, so that wrong ones show. */
export async function describeCredentials(settings: VectaraSettings): Promise<string> {
  const { credentials } = settings;
  if ('apiKey' in credentials) return 'API key (VECTARA_API_KEY)';
  await credentialHeaders(settings, Date.now)();
  return `OAuth client ${credentials.clientId} (VECTARA_CLIENT_ID); ${new URL(credentials.tokenUrl).host} gave a token`;
}

function tokenError(status: number, _body: unknown, headers: Headers): SessionError {
  if (status === 400 || status === 401 || status === 403)
    return new SessionError('UNAUTHENTICATED', 'Vectara refused the client id or the client secret.', {
      hint: 'Ask the operator to check the credentials for Vectara.',
    });
  return new SessionError('UNAVAILABLE', `The Vectara token service answered with status ${status}.`, {
    hint: 'Try again later; if it stays so, check the token address.',
    retryAfter: retryAfterOf(headers),
  });
}
