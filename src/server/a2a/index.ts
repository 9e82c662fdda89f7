import { formatSSEErrorEvent, formatSSEEvent, SSE_HEADERS } from '@a2a-js/sdk';
import { LegacyJsonRpcTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import { toJsonRpcError } from '@a2a-js/sdk/errors';
import { JsonRpcTransportHandler, ServerCallContext } from '@a2a-js/sdk/server';
import type { Backend } from '../../backend/types.ts';
import type { Log } from '../../log.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Principal } from '../../model/principal.ts';
import { type Exchange, refuse, refuseMethod } from '../http/exchange.ts';
import { answer } from '../http/io.ts';
import { type Limits, retryAfter } from '../http/limits.ts';
import { receiveJson } from '../http/request-body.ts';
import { cardDocument, cardOf } from './card.ts';
import { turnRequests } from './requests.ts';

/** The face that remote agents see: an agent card and an endpoint for each app with an agent. */
export interface A2aFace {
  isCard(path: string): boolean;
  isEndpoint(path: string): boolean;
  /** Anyone may read a card: it names the agent and no data. */
  showCard(exchange: Exchange): undefined;
  serve(exchange: Exchange, principal: Principal): Promise<void>;
}

export interface A2aOptions {
  backend: Backend;
  /** The agent that speaks for each app. */
  agents: readonly { app: string; agent: string }[];
  version: string;
  /** Whether callers need a token. */
  secured: boolean;
  limits: Limits;
  log: Log;
  /** Milliseconds between two signs of life on a stream that has nothing to tell: proxies end silent connections. */
  keepAliveMs?: number;
  /** How clients reach this server, without a path. */
  origin(): string;
}

const cardName = '.well-known/agent-card.json';
const defaultKeepAliveMs = 15_000;
const writeScope = 'sessions:write';

/** Whose call it is, and when that caller has gone, in the context that the SDK passes through. */
const principalKey = 'principal';
const signalKey = 'signal';

/** Serves A2A 1.0 and 0.3 over JSON-RPC (a2a-protocol.org/v1.0.0/specification). Tasks are turns of sessions. */
export function createA2aFace(options: A2aOptions): A2aFace {
  const first = new Map<string, string>();
  for (const { app, agent } of options.agents) if (!first.has(app)) first.set(app, agent);
  const served = new Map([...first].map(([app, agent]) => [pathOf(app), openApp(options, app, agent)]));

  return {
    isCard: (path) => path.endsWith(`/${cardName}`) && served.has(path.slice(0, -cardName.length - 1)),
    isEndpoint: (path) => served.has(path),
    showCard(exchange) {
      const { req, res, path, headers } = exchange;
      if (req.method !== 'GET' && req.method !== 'HEAD') {
        refuseMethod(exchange, ['GET', 'HEAD']);
        return undefined;
      }
      const document = served.get(path.slice(0, -cardName.length - 1))?.document();
      answer(res, 200, { ...headers, 'content-type': 'application/json' }, document ?? '');
      return undefined;
    },
    async serve(exchange, principal) {
      const app = served.get(exchange.path);
      if (exchange.req.method !== 'POST') return refuseMethod(exchange, ['POST']);
      if (!principal.scopes.includes(writeScope)) return refuse(exchange, 403, 'The token lacks a scope.');
      const wait = await options.limits.spend(principal.userId, 1);
      if (wait > 0) return exhausted(exchange, 'rate', wait);
      const release = await options.limits.take(principal.userId, 'requests');
      if (release === undefined) return exhausted(exchange, 'requests', retryAfter.requests);
      if (exchange.res.closed) return release();
      exchange.res.once('close', release);
      const body = await receiveJson(exchange, principal.userId, options.limits, exhausted);
      if (body === undefined || app === undefined) return;
      await app.answer(exchange, principal, body.value);
    },
  };
}

const exhausted = (exchange: Exchange, limit: string, seconds: number): void =>
  refuse(exchange, 429, `You have reached the limit of ${limit}.`, { retryAfter: seconds });

const pathOf = (app: string): string => `/a2a/${encodeURIComponent(app)}`;

function openApp(options: A2aOptions, app: string, agent: string) {
  const { backend, version, secured, origin, log, keepAliveMs = defaultKeepAliveMs } = options;
  const card = () => cardOf(app, agent, origin() + pathOf(app), version, secured);
  const requests = turnRequests({
    backend,
    app,
    agent,
    log,
    card,
    callerOf: ({ state }) => ({
      principal: state.get(principalKey) as Principal,
      signal: state.get(signalKey) as AbortSignal,
    }),
  });
  const current = new JsonRpcTransportHandler(requests);
  const legacy = new LegacyJsonRpcTransportHandler(requests);
  return {
    document: () => cardDocument(card(), origin() + pathOf(app)),
    async answer({ req, res, headers }: Exchange, principal: Principal, body: unknown): Promise<void> {
      const gone = new AbortController();
      res.once('close', () => gone.abort());
      const asked = req.headers['a2a-version'];
      const requestedVersion = typeof asked === 'string' ? asked : '0.3';
      const context = new ServerCallContext({
        requestedVersion,
        user: { isAuthenticated: true, userName: principal.userId },
        state: new Map<string, unknown>([
          [principalKey, principal],
          [signalKey, gone.signal],
        ]),
      });
      const request: JsonObject = isObject(body) ? body : {};
      const handler = requestedVersion.startsWith('0.') ? legacy : current;
      const given = await handler.handle(request, context);
      if (!(Symbol.asyncIterator in given))
        return answer(res, 200, { ...headers, 'content-type': 'application/json' }, JSON.stringify(given));
      res.writeHead(200, { ...headers, ...SSE_HEADERS });
      const beat = setInterval(() => {
        // A client that reads nothing gets nothing more.
        if (!res.destroyed && !res.writableNeedDrain) res.write(': keepalive\n\n');
      }, keepAliveMs);
      try {
        for await (const piece of given) if (!res.destroyed) res.write(formatSSEEvent(piece));
      } catch (error) {
        const id = typeof request.id === 'string' || typeof request.id === 'number' ? request.id : null;
        if (!res.destroyed)
          res.write(formatSSEErrorEvent({ jsonrpc: '2.0', id, error: toJsonRpcError(error) }));
      } finally {
        clearInterval(beat);
      }
      res.end();
    },
  };
}
