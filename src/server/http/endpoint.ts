import type { ServerResponse } from 'node:http';
import type { AuthInfo } from '@modelcontextprotocol/server';
import type { Log } from '../../log.ts';
import { isObject } from '../../model/json.ts';
import type { Principal } from '../../model/principal.ts';
import type { A2aFace } from '../a2a/index.ts';
import { challengeHeader } from '../auth/challenge.ts';
import { type Authenticate, entryScope } from '../auth/index.ts';
import type { ServedApp } from '../mcp/served-app.ts';
import { createAdmissionQueue } from './admission-queue.ts';
import { type Exchange, type RpcRequest, refuse, refuseMethod } from './exchange.ts';
import { send, toRequest } from './io.ts';
import { sendWhenReady } from './keep-alive.ts';
import { type Limits, retryAfter } from './limits.ts';
import type { Metrics } from './metrics.ts';
import { createOpenRequests, type OpenRequest } from './open-requests.ts';
import { requestIdsOf } from './pending-requests.ts';
import { type Exhausted, receiveJson } from './request-body.ts';
import { createRequestHandler, type RequestCall } from './requests-2026.ts';
import { hostSessions, type SessionSettings } from './sessions-2025.ts';

export interface EndpointOptions {
  settings: {
    /** `stateless` serves clients of 2025 without sessions: no cancelling, no subscriptions, no questions to the user. */
    legacy: 'sessions' | 'stateless';
    sessions: SessionSettings;
    /** Whether requests pass the admission queue. Only a benchmark sets it to false. */
    admissionQueue?: boolean | undefined;
  };
  served: ServedApp;
  /** Answers remote agents, below /a2a. */
  a2a?: A2aFace | undefined;
  log: Log;
  limits: Limits;
  authenticate?: Authenticate | undefined;
  metadata?: { url: string } | undefined;
  metrics?: Metrics | undefined;
  /** Milliseconds of silence after which a client, and proxies on the way, get a sign that a call is still running. */
  keepAliveMs?: number | undefined;
}

const defaultKeepAliveMs = 10_000;

/** The endpoints of the protocols, for callers that the gate has identified. */
export interface Endpoint {
  serve(exchange: Exchange, principal: Principal): Promise<void>;
  /** Ends protocol sessions that are idle for too long. */
  endIdleSessions(): void;
  /** Ends calls and streams whose token is no longer valid. */
  endRevoked(): Promise<void>;
  /** Ends streams, waits up to `graceMs` for calls under way, answers the rest with an error, and ends everything. */
  close(graceMs: number): Promise<void>;
}

export function createEndpoint(options: EndpointOptions): Endpoint {
  const { settings, served, log, limits, authenticate, a2a, metrics } = options;
  const { keepAliveMs = defaultKeepAliveMs } = options;
  const sessionful = settings.legacy === 'sessions';
  const methods = sessionful ? ['POST', 'GET', 'DELETE'] : ['POST'];
  const sessions = hostSessions(served, limits, { ...settings.sessions, keepAliveMs });
  const requests = createRequestHandler({
    served,
    servesLegacy: !sessionful,
    keepAliveMs,
    onerror: (error) => log.info('The MCP SDK refused or dropped a message.', { reason: error.message }),
  });
  const admitted = settings.admissionQueue === false ? async () => {} : createAdmissionQueue();
  const openRequests = createOpenRequests();

  async function serve(exchange: Exchange, principal: Principal): Promise<void> {
    const { req, res } = exchange;
    const { method = '' } = req;
    const isA2a = a2a?.isEndpoint(exchange.path) === true;
    const allowed = isA2a ? ['POST'] : methods;
    if (!allowed.includes(method)) return refuseMethod(exchange, allowed);
    const { userId } = principal;
    const wait = await limits.spend(userId, 1);
    if (wait > 0) return exhausted(exchange, 'rate', wait);
    // GET opens a stream of notifications, which stays open; other requests end soon.
    const counted = method === 'GET' ? 'streams' : 'requests';
    const release = await limits.take(userId, counted);
    if (release === undefined) return exhausted(exchange, counted, retryAfter[counted]);
    // Other servers may have been asked, and the caller has left meanwhile.
    if (res.closed) return release();
    const end = new AbortController();
    const request: OpenRequest = { exchange, principal, end };
    openRequests.add(request);
    onClose(res, () => {
      release();
      if (!res.writableFinished) end.abort();
    });
    if (method !== 'POST') return dispatch(request, undefined);
    const body = await receiveJson(exchange, userId, limits, exhausted);
    if (body === undefined) return;
    const rpc = rpcOf(body.value);
    if (rpc !== undefined) exchange.rpc = rpc;
    await admitted();
    if (end.signal.aborted) return;
    if (isA2a) await a2a.answer(request, body.value);
    else await dispatch(request, body.value);
  }

  async function dispatch(open: OpenRequest, body: unknown): Promise<void> {
    const { exchange, principal, end } = open;
    const { req, res, rpc } = exchange;
    const request = toRequest(req, exchange.id, end.signal);
    const authInfo = authenticate && authInfoOf(principal, options.metadata?.url);
    const call = { principal, authInfo, body, tool: rpc?.tool };
    if (sessionful && (await requests.isLegacy(request, body))) {
      const { response, done, pending } = await sessions.handle(request, call);
      open.pending = pending;
      onClose(res, done);
      if (req.method === 'GET' && response.status === 200) open.endStream = () => res.end();
      return send(res, response, exchange.headers);
    }
    if (rpc?.method === 'subscriptions/listen') return listen(open, request, call);
    return sendWhenReady(exchange, requests.fetch(request, call), keepAliveMs);
  }

  async function listen(open: OpenRequest, request: Request, call: RequestCall): Promise<void> {
    const { exchange, principal } = open;
    for (const [what, amount] of [
      ['streams', 1],
      ['subscriptions', requests.addressesOf(call.body).length],
    ] as const) {
      const release = await limits.take(principal.userId, what, amount);
      if (release === undefined) return exhausted(exchange, what, retryAfter[what]);
      onClose(exchange.res, release);
    }
    const { response, end } = await requests.listen(request, call);
    open.endStream = end;
    await send(exchange.res, response, exchange.headers);
  }

  const exhausted: Exhausted = (exchange, limit, seconds) => {
    metrics?.refused(limit);
    refuse(exchange, 429, `Too many requests: the limit of ${limit} is reached.`, { retryAfter: seconds });
  };

  return {
    serve,
    endIdleSessions: () => sessions.reap(),
    async endRevoked() {
      if (authenticate === undefined) return;
      const challenge = {
        fault: 'invalid_token',
        scope: entryScope,
        metadataUrl: options.metadata?.url,
      } as const;
      await openRequests.endRevoked(authenticate, challengeHeader(challenge));
    },
    async close(graceMs) {
      await openRequests.close(graceMs);
      await Promise.all([requests.close(), sessions.close()]);
    },
  };
}

/** Calls back when the answer has been sent or the client has left; at once if that was before. */
function onClose(res: ServerResponse, callback: () => void): void {
  if (res.closed) callback();
  else res.once('close', callback);
}

function rpcOf(body: unknown): RpcRequest | undefined {
  if (!isObject(body) || typeof body.method !== 'string') return undefined;
  const name = body.method === 'tools/call' && isObject(body.params) ? body.params.name : undefined;
  return {
    method: body.method,
    tool: typeof name === 'string' ? name : undefined,
    ids: requestIdsOf(body),
  };
}

// Without the token: nothing behind the gate needs it, and nothing may pass it on.
function authInfoOf({ userId, scopes }: Principal, resourceMetadataUrl: string | undefined): AuthInfo {
  return {
    token: '',
    clientId: userId,
    scopes: [...scopes],
    ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl }),
  };
}
