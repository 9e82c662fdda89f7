import type { ServerResponse } from 'node:http';
import type { AuthInfo } from '@modelcontextprotocol/server';
import type { Log } from '../../log.ts';
import { isObject } from '../../model/json.ts';
import type { Principal } from '../../model/principal.ts';
import type { Authenticate } from '../auth/index.ts';
import { decodeMessage } from '../mcp/decode.ts';
import type { ServedApp } from '../mcp/served-app.ts';
import { createTurns } from './admission-queue.ts';
import { type Asked, type Exchange, refuse, refuseMethod } from './exchange.ts';
import { readBody, send, toRequest } from './io.ts';
import { type Limits, retryAfter } from './limits.ts';
import type { Metrics } from './metrics.ts';
import { createModern, type ModernCall } from './requests-2026.ts';
import { hostSessions, ownerKey, type SessionSettings } from './sessions-2025.ts';

export interface ProtocolOptions {
  settings: {
    /** `stateless` serves clients of 2025 request by request: no cancelling, subscribing or asking the user. */
    legacy: 'sessions' | 'stateless';
    sessions: SessionSettings;
  };
  served: ServedApp;
  log: Log;
  limits: Limits;
  authenticate?: Authenticate | undefined;
  metadata?: { url: string } | undefined;
  metrics?: Metrics | undefined;
}

/** The endpoint itself, for callers that are known. */
export interface Protocol {
  serve(exchange: Exchange, principal: Principal): Promise<void>;
  /** Ends idle sessions, and streams of those who may no longer hold them. */
  round(): Promise<void>;
  /** Ends the streams, waits so long for what is under way, and ends everything. */
  close(graceMs: number): Promise<void>;
}

/** An open stream of notifications. */
interface OpenStream {
  authorization: string | undefined;
  owner: string;
  end(): void;
}

/** Bytes of a body that the rate of requests takes for one more request. */
const requestBytes = 64 * 1024;

export function createProtocol(options: ProtocolOptions): Protocol {
  const { settings, served, log, limits, authenticate, metrics } = options;
  const sessionful = settings.legacy === 'sessions';
  const methods = sessionful ? ['POST', 'GET', 'DELETE'] : ['POST'];
  const sessions = hostSessions(served, limits, settings.sessions);
  const modern = createModern(served, !sessionful, (error) =>
    log.info('The protocol library refused or dropped something.', { reason: error.message }),
  );
  const turn = createTurns();
  const streams = new Set<OpenStream>();
  const underWay = new Map<ServerResponse, AbortController>();

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
    underWay.set(res, end);
    atEnd(res, () => {
      release();
      underWay.delete(res);
      if (!res.writableFinished) end.abort();
    });
    if (method !== 'POST') return dispatch(exchange, principal, undefined, end.signal);
    const body = await receive(exchange, userId);
    if (body === undefined) return;
    await turn();
    await dispatch(exchange, principal, body.value, end.signal);
  }

  /** Reads the body once and parses it once; undefined when the request has been refused. */
  async function receive(exchange: Exchange, userId: string): Promise<{ value: unknown } | undefined> {
    const { headers } = exchange.req;
    const most = limits.settings.bodyBytes;
    const refused = (status: number, message: string, code?: number): undefined =>
      void refuse(exchange, status, message, { code });
    if (!/^application\/json\s*(;|$)/i.test(headers['content-type'] ?? ''))
      return refused(415, 'Unsupported Media Type: Content-Type must be application/json');
    const tooLarge = `Payload Too Large: a body has at most ${most} bytes`;
    const length = Number(headers['content-length'] ?? most);
    if (length > most) return refused(413, tooLarge);
    const release = limits.take(userId, 'bodiesBytes', length);
    if (release === undefined) return void exhausted(exchange, 'bodiesBytes', retryAfter.bodiesBytes);
    try {
      const body = await readBody(exchange.req, most);
      if (body === 'gone') return undefined;
      if (body === 'too large') return refused(413, tooLarge);
      // Parsing holds up everybody, so what takes as long as many requests counts as many.
      const late = limits.spend(userId, Math.floor(body.length / requestBytes));
      if (late > 0) return void exhausted(exchange, 'rate', late);
      const decoded = decodeMessage(body);
      if ('fault' in decoded) return refused(400, decoded.fault.message, decoded.fault.code);
      const { value } = decoded;
      // A batch is one request for each of its messages.
      const wait = Array.isArray(value) ? limits.spend(userId, value.length - 1) : 0;
      return wait > 0 ? void exhausted(exchange, 'rate', wait) : { value };
    } finally {
      release();
    }
  }

  async function dispatch(
    exchange: Exchange,
    principal: Principal,
    body: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    const { req, res } = exchange;
    const asked = askedOf(body);
    if (asked !== undefined) exchange.asked = asked;
    const request = toRequest(req, exchange.id, signal);
    const authInfo = authenticate && authInfoOf(principal, options.metadata?.url);
    const call = { principal, authInfo, body, tool: asked?.tool };
    if (sessionful && (await modern.isOlder(request, body))) {
      const { response, done } = await sessions.handle(request, call);
      atEnd(res, done);
      if (req.method === 'GET' && response.status === 200) track(exchange, principal, () => res.end());
      return send(res, response, exchange.headers);
    }
    if (asked?.method === 'subscriptions/listen') return listen(exchange, request, call);
    return send(res, await modern.fetch(request, call), exchange.headers);
  }

  async function listen(exchange: Exchange, request: Request, call: ModernCall): Promise<void> {
    const { principal } = call;
    for (const [what, amount] of [
      ['streams', 1],
      ['subscriptions', modern.addressesOf(call.body).length],
    ] as const) {
      const release = limits.take(principal.userId, what, amount);
      if (release === undefined) return exhausted(exchange, what, retryAfter[what]);
      atEnd(exchange.res, release);
    }
    const { response, end } = await modern.listen(request, call);
    track(exchange, principal, end);
    await send(exchange.res, response, exchange.headers);
  }

  function track({ req, res }: Exchange, principal: Principal, end: () => void): void {
    const stream: OpenStream = {
      authorization: req.headers.authorization,
      owner: ownerKey(principal),
      end,
    };
    streams.add(stream);
    atEnd(res, () => streams.delete(stream));
  }

  function exhausted(exchange: Exchange, limit: string, seconds: number): void {
    metrics?.refused(limit);
    refuse(exchange, 429, `Too much at once: the limit of ${limit} is reached.`, { retryAfter: seconds });
  }

  return {
    serve,
    async round() {
      sessions.reap();
      if (authenticate === undefined) return;
      for (const stream of streams) {
        // An issuer that cannot be asked just now has not taken its word back.
        const verdict = await authenticate(stream.authorization).catch(() => undefined);
        if (verdict === undefined) continue;
        if (verdict.kind !== 'caller' || ownerKey(verdict.principal) !== stream.owner) stream.end();
      }
    },
    async close(graceMs) {
      for (const stream of streams) stream.end();
      const deadline = Date.now() + graceMs;
      while (underWay.size > 0 && Date.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 20));
      for (const end of underWay.values()) end.abort();
      await Promise.all([modern.close(), sessions.close()]);
    },
  };
}

/** Calls back when the answer has been sent or the client is gone, also if that was before. */
function atEnd(res: ServerResponse, callback: () => void): void {
  if (res.closed) callback();
  else res.once('close', callback);
}

function askedOf(body: unknown): Asked | undefined {
  if (!isObject(body) || typeof body.method !== 'string') return undefined;
  const name = body.method === 'tools/call' && isObject(body.params) ? body.params.name : undefined;
  return { method: body.method, tool: typeof name === 'string' ? name : undefined };
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
