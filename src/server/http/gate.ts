import { SessionError } from '../../errors.ts';
import { type Log, logWith } from '../../log.ts';
import type { Principal } from '../../model/principal.ts';
import type { A2aFace } from '../a2a/index.ts';
import { type Challenge, challengeHeader, type ResourceMetadata } from '../auth/challenge.ts';
import { type Authenticate, entryScope } from '../auth/index.ts';
import { type Exchange, refuse, refuseMethod } from './exchange.ts';
import { answer } from './io.ts';
import { corsHeaders, createGuard, type GuardSettings, preflightHeaders } from './origin-guard.ts';
import type { PageAnswers } from './page.ts';

export interface GateOptions {
  settings: GuardSettings & { path: string };
  log: Log;
  /** Absent: every caller is `anonymous`. */
  authenticate?: Authenticate | undefined;
  anonymous: Principal;
  metadata?: ResourceMetadata | undefined;
  /** Agent cards and endpoints for remote agents, below /a2a. */
  a2a?: A2aFace | undefined;
  /** The session page, at /ui. */
  page?: PageAnswers | undefined;
  /** Text for Prometheus; present when /metrics is switched on. */
  metricsText?: (() => Promise<string>) | undefined;
  /** Rejects while the server cannot do its work. */
  ready(): Promise<void>;
}

const wellKnown = '/.well-known/oauth-protected-resource';

/**
 * Makes the checks before the protocol, in this order: repeated headers; health, which reveals nothing; Host; public
 * metadata; Origin; the session page, which holds no data; path; authentication; metrics; the scope that every request
 * needs. Resolves to the caller of a request to the endpoint. Every other request has then been answered.
 *
 * The path is checked before the token. The served paths are documented, so a 404 reveals nothing, while a client with a
 * wrong address, or one that looks for missing metadata, would take a 401 for a request to log in.
 */
export function createGate(options: GateOptions): (exchange: Exchange) => Promise<Principal | undefined> {
  const { settings, authenticate, metadata, metricsText, page, a2a } = options;
  const guard = createGuard(settings);
  // Behind a proxy the path may have a suffix. The document is public, so every such path gets it.
  const isMetadata = (path: string) => path === wellKnown || path.startsWith(`${wellKnown}/`);

  const isA2a = (path: string) => a2a?.isEndpoint(path) === true;
  const isServed = (path: string) =>
    path === settings.path || isA2a(path) || (path === '/metrics' && metricsText !== undefined);

  async function admit(exchange: Exchange): Promise<Principal | undefined> {
    const { req, path } = exchange;
    const repeated = repeatedHeader(req.rawHeaders);
    if (repeated !== undefined)
      return refused(exchange, 400, `The request has the header ${repeated} twice.`);
    if (path === '/healthz' || path === '/readyz') return health(exchange);
    if (!guard.isOurHost(req.headers.host)) return refused(exchange, 403, 'This Host is not served here.');
    if (metadata !== undefined && isMetadata(path)) return showMetadata(exchange, metadata.document);
    if (!admitOrigin(exchange)) return undefined;
    if (page?.paths.includes(path)) return page.serve(exchange);
    if (a2a?.isCard(path)) return a2a.showCard(exchange);
    if (!isServed(path))
      return refused(exchange, 404, `Nothing is served at this path. The endpoint is at ${settings.path}.`);
    const principal = await identify(exchange);
    if (principal === undefined) return undefined;
    exchange.principal = principal;
    if (path !== settings.path && !isA2a(path) && metricsText !== undefined)
      return showMetrics(exchange, principal, metricsText);
    // What a remote agent asks for is nearly always a turn.
    const scope = isA2a(path) ? 'sessions:write' : entryScope;
    return principal.scopes.includes(scope) ? principal : lacksScope(exchange, scope);
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

  /** Sends the metadata, which is public: it tells clients without a token where to get one. */
  function showMetadata(exchange: Exchange, document: object): undefined {
    const { req, res } = exchange;
    const headers = { ...exchange.headers, 'access-control-allow-origin': '*' };
    if (req.method === 'OPTIONS') {
      const allowed = { 'access-control-allow-methods': 'GET', 'access-control-allow-headers': '*' };
      answer(res, 204, { ...headers, ...allowed });
    } else if (req.method === 'GET' || req.method === 'HEAD')
      answer(res, 200, { ...headers, 'content-type': 'application/json' }, JSON.stringify(document));
    else refuseMethod(exchange, ['GET', 'HEAD']);
  }

  /** Whether the Origin is allowed; otherwise the request is answered. Sets the headers that let a page read answers. */
  function admitOrigin(exchange: Exchange): boolean {
    const { req, res, path, headers } = exchange;
    const { origin } = req.headers;
    const standing = guard.originOf(origin, req.headers.host);
    if (standing === 'no') {
      refuse(exchange, 403, 'This Origin is not allowed.');
      return false;
    }
    if (standing === 'same' || origin === undefined) return true;
    const asksFor = req.headers['access-control-request-headers'];
    const isPreflight = req.method === 'OPTIONS' && 'access-control-request-method' in req.headers;
    // A browser sends a preflight request without credentials, so it must be answered before authentication.
    if (isPreflight && (path === settings.path || isA2a(path) || a2a?.isCard(path))) {
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
      const fault = verdict.presented ? 'invalid_token' : undefined;
      const message = verdict.presented ? 'The token is not valid.' : 'The request needs a bearer token.';
      refuse(exchange, 401, message, { headers: challenge(fault, entryScope) });
    } catch (error) {
      if (!(error instanceof SessionError)) throw error;
      logWith(options.log, { requestId: exchange.id }).error(error.message, { cause: error.cause });
      refuse(exchange, 503, error.message, { retryAfter: error.retryAfter });
    }
    return undefined;
  }

  async function showMetrics(
    exchange: Exchange,
    principal: Principal,
    text: () => Promise<string>,
  ): Promise<undefined> {
    if (authenticate !== undefined && !principal.admin) return lacksScope(exchange, 'sessions:admin');
    if (exchange.req.method !== 'GET') {
      refuseMethod(exchange, ['GET']);
      return;
    }
    const type = { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' };
    answer(exchange.res, 200, { ...exchange.headers, ...type }, await text());
  }

  const challenge = (fault: Challenge['fault'], scope: string) =>
    challengeHeader({ metadataUrl: metadata?.url, fault, scope });

  function lacksScope(exchange: Exchange, scope: string): undefined {
    refuse(exchange, 403, 'The token lacks a scope.', { headers: challenge('insufficient_scope', scope) });
  }

  function refused(exchange: Exchange, status: number, message: string): undefined {
    refuse(exchange, status, message);
  }

  return admit;
}

/** Headers that may stand only once. Of two, a proxy might use one and this server the other. */
const single = new Set([
  'host',
  'authorization',
  'origin',
  'content-type',
  'content-length',
  'mcp-protocol-version',
  'mcp-session-id',
  'mcp-method',
  'mcp-name',
]);

function repeatedHeader(rawHeaders: readonly string[]): string | undefined {
  const seen = new Set<string>();
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? '';
    if (!single.has(name)) continue;
    if (seen.has(name)) return name;
    seen.add(name);
  }
  return undefined;
}
