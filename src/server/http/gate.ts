import { SessionError } from '../../errors.ts';
import { type Log, logWith } from '../../log.ts';
import type { Principal } from '../../model/principal.ts';
import { type Authenticate, challengeHeader, entryScope } from '../auth/index.ts';
import { type Exchange, refuse, refuseMethod } from './exchange.ts';
import { answer } from './io.ts';
import type { Limits } from './limits.ts';
import type { Metrics } from './metrics.ts';
import { corsHeaders, createGuard, type GuardSettings, preflightHeaders } from './origin-guard.ts';

export interface GateOptions {
  settings: GuardSettings & { path: string };
  log: Log;
  limits: Limits;
  /** Absent: everybody is `anonymous`. */
  authenticate?: Authenticate | undefined;
  anonymous: Principal;
  /** The RFC 9728 document and its address. */
  metadata?: { url: string; document: object } | undefined;
  /** Present when /metrics is switched on. */
  metrics?: Metrics | undefined;
  /** Rejects when the server could not do its work now. */
  ready(): Promise<void>;
}

const wellKnown = '/.well-known/oauth-protected-resource';

/**
 * All that comes before the protocol. In this order: health, which says nothing; the Host; the public
 * metadata; the Origin; who is asking; metrics; the path; whether the caller may come in at all. The result
 * is the caller of a request to the endpoint; every other request has been answered.
 */
export function createGate(options: GateOptions): (exchange: Exchange) => Promise<Principal | undefined> {
  const { settings, limits, authenticate, metadata, metrics } = options;
  const guard = createGuard(settings);
  // Behind a proxy the path may be another; the document is the same, and public.
  const isMetadata = (path: string) => path === wellKnown || path.startsWith(`${wellKnown}/`);

  async function pass(exchange: Exchange): Promise<Principal | undefined> {
    const { req, path } = exchange;
    if (path === '/healthz' || path === '/readyz') return health(exchange);
    if (!guard.isOurHost(req.headers.host)) return refused(exchange, 403, 'This Host is not served here.');
    if (metadata !== undefined && isMetadata(path)) return describe(exchange, metadata.document);
    if (!admitOrigin(exchange)) return undefined;
    const principal = await identify(exchange);
    if (principal === undefined) return undefined;
    exchange.principal = principal;
    if (path === '/metrics' && metrics !== undefined) return showMetrics(exchange, principal, metrics);
    if (path !== settings.path) return refused(exchange, 404, 'There is nothing here.');
    if (!principal.scopes.includes(entryScope)) return lacksScope(exchange, entryScope);
    return principal;
  }

  async function health(exchange: Exchange): Promise<undefined> {
    const { req, res, headers, path } = exchange;
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      refuseMethod(exchange, ['GET', 'HEAD']);
      return;
    }
    const isWell =
      path === '/healthz' ||
      (await options.ready().then(
        () => true,
        () => false,
      ));
    const body = JSON.stringify({ status: isWell ? 'ok' : 'unavailable' });
    answer(res, isWell ? 200 : 503, { ...headers, 'content-type': 'application/json' }, body);
  }

  /** Public by its nature: it tells those without a token where to get one. */
  function describe(exchange: Exchange, document: object): undefined {
    const { req, res } = exchange;
    const headers = { ...exchange.headers, 'access-control-allow-origin': '*' };
    if (req.method === 'OPTIONS') {
      const allowed = { 'access-control-allow-methods': 'GET', 'access-control-allow-headers': '*' };
      answer(res, 204, { ...headers, ...allowed });
    } else if (req.method === 'GET' || req.method === 'HEAD')
      answer(res, 200, { ...headers, 'content-type': 'application/json' }, JSON.stringify(document));
    else refuseMethod(exchange, ['GET', 'HEAD']);
  }

  /** Whether the request goes on. A page that may read answers gets the headers for it here. */
  function admitOrigin(exchange: Exchange): boolean {
    const { req, res, path, headers } = exchange;
    const { origin } = req.headers;
    const standing = guard.originOf(origin);
    if (standing === 'no') {
      refuse(exchange, 403, 'This Origin is not allowed.');
      return false;
    }
    if (standing === 'same' || origin === undefined) return true;
    const asksFor = req.headers['access-control-request-headers'];
    const isPreflight = req.method === 'OPTIONS' && 'access-control-request-method' in req.headers;
    // A browser asks without credentials whether it may send them.
    if (isPreflight && path === settings.path) {
      answer(res, 204, { ...headers, ...preflightHeaders(origin, asksFor) });
      return false;
    }
    Object.assign(headers, corsHeaders(origin));
    return true;
  }

  async function identify(exchange: Exchange): Promise<Principal | undefined> {
    if (authenticate === undefined) return options.anonymous;
    try {
      const verdict = await authenticate(exchange.req.headers.authorization);
      if (verdict.kind === 'caller') return verdict.principal;
      const error = verdict.presented ? 'invalid_token' : undefined;
      const message = verdict.presented ? 'The token is not valid.' : 'A bearer token is needed.';
      refuse(exchange, 401, message, { headers: challenge(error, entryScope) });
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      logWith(options.log, { requestId: exchange.id }).error(error.message, { cause: error.cause });
      refuse(exchange, 503, error.message, { retryAfter: error.retryAfter });
    }
    return undefined;
  }

  function showMetrics(exchange: Exchange, principal: Principal, { text }: Metrics): undefined {
    if (authenticate !== undefined && !principal.admin) return lacksScope(exchange, 'sessions:admin');
    if (exchange.req.method !== 'GET') {
      refuseMethod(exchange, ['GET']);
      return;
    }
    const gauges = {
      requests_under_way: limits.total('requests'),
      tool_calls_under_way: limits.total('calls'),
      streams_open: limits.total('streams'),
      protocol_sessions: limits.total('sessions'),
      subscriptions: limits.total('subscriptions'),
    };
    const type = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
    answer(exchange.res, 200, { ...exchange.headers, ...type }, text(gauges));
  }

  const challenge = (error: 'invalid_token' | 'insufficient_scope' | undefined, scope: string) => ({
    'www-authenticate': challengeHeader({ metadataUrl: metadata?.url, error, scope }),
  });

  function lacksScope(exchange: Exchange, scope: string): undefined {
    refuse(exchange, 403, 'The token lacks a scope.', { headers: challenge('insufficient_scope', scope) });
  }

  function refused(exchange: Exchange, status: number, message: string): undefined {
    refuse(exchange, status, message);
  }

  return pass;
}
