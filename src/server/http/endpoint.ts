import type { ServerResponse } from 'node:http';
import type { AuthInfo } from '@modelcontextprotocol/server';
import type { Log } from '../../log.ts';
import { isObject } from '../../model/json.ts';
import type { Principal } from '../../model/principal.ts';
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
    /** `stateless` serves clients of 2025 request by request: no cancelling, subscribing or asking the user. */
    legacy: 'sessions' | 'stateless';
    sessions: SessionSettings;
    /** False only in the benchmark that shows what the queue is for. */
    admissionQueue?: boolean | undefined;
  };
  served: ServedApp;
  log: Log;
  limits: Limits;
  authenticate?: Authenticate | undefined;
  metadata?: { url: string } | undefined;
  metrics?: Metrics | undefined;
  /** Milliseconds without a word after which a client, or a proxy before it, hears that a call goes on. */
  keepAliveMs?: number | undefined;
}

const defaultKeepAliveMs = 10_000;

/** The endpoint of the protocol, for callers that are known. */
export interface Endpoint {
  serve(exchange: Exchange, principal: Principal): Promise<void>;
  /** Ends sessions that nobody uses. */
  endIdleSessions(): void;
  /** Ends calls and streams of those whose token is no longer good. */
  endRevoked(): Promise<void>;
  /** Ends streams, waits so long for calls under way, answers those that are left, and ends everything. */
  close(graceMs: number): Promise<void>;
}

export function createEndpoint(options: EndpointOptions): Endpoint {
  const { settings, served, log, limits, authenticate, metrics, keepAliveMs = defaultKeepAliveMs } = options;
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
    if (!methods.includes(method)) return refuseMethod(exchange, methods);
    const { userId } = principal;
    const wait = limits.spend(userId, 1);
    if (wait > 0) return exhausted(exchange, 'rate', wait);
    // What GET asks for is a stream of notifications; all else is over soon.
    const counted = method === 'GET' ? 'streams' : 'requests';
    const release = limits.take(userId, counted);
    if (release === undefined) return exhausted(exchange, counted, retryAfter[counted]);
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
    await admitted();
    if (!end.signal.aborted) await dispatch(request, body.value);
  }

  async function dispatch(open: OpenRequest, body: unknown): Promise<void> {
    const { exchange, principal, end } = open;
    const { req, res } = exchange;
    const rpc = rpcOf(body);
    if (rpc !== undefined) exchange.rpc = rpc;
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
      const release = limits.take(principal.userId, what, amount);
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

/** Calls back when the answer has been sent or the client is gone, also if that was before. */
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

// The token stays here: nothing behind the gate has a use for it, and none may pass it on.
function authInfoOf({ userId, scopes }: Principal, resourceMetadataUrl: string | undefined): AuthInfo {
  return {
    token: '',
    clientId: userId,
    scopes: [...scopes],
    ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl }),
  };
}
