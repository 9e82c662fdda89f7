import {
  type Client,
  ClientFactory,
  DefaultAgentCardResolver,
  JsonRpcTransportFactory,
  RestTransportFactory,
} from '@a2a-js/sdk/client';

/** A client of the agent at an address. The address may be the one of its agent card, which has half of `timeoutMs` to come. */
export function openClient(config: {
  url: string;
  token?: string | undefined;
  timeoutMs: number;
}): Promise<Client> {
  const url = new URL(config.url);
  // The card may name any address for the agent itself; the token is for the configured one.
  const fetchImpl: typeof fetch = (input, init) => {
    const target = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init?.headers);
    if (config.token !== undefined && target.origin === url.origin)
      headers.set('authorization', `Bearer ${config.token}`);
    // Requests of a turn end with it; the card is fetched for all turns.
    const signal = init?.signal ?? AbortSignal.timeout(config.timeoutMs / 2);
    return fetch(input, { ...init, headers, signal, redirect: 'error' });
  };
  const options = { fetchImpl, legacyCompat: { enabled: true } };
  const factory = new ClientFactory({
    transports: [new JsonRpcTransportFactory(options), new RestTransportFactory(options)],
    cardResolver: new DefaultAgentCardResolver(options),
  });
  if (url.pathname.endsWith('.json')) return factory.createFromUrl(url.origin, url.pathname + url.search);
  return factory.createFromUrl(config.url.endsWith('/') ? config.url : `${config.url}/`);
}
