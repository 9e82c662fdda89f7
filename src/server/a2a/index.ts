import { formatSSEErrorEvent, formatSSEEvent, SSE_HEADERS } from '@a2a-js/sdk';
import { LegacyJsonRpcTransportHandler } from '@a2a-js/sdk/compat/v0_3/server';
import {
  A2A_ERROR_CODE,
  RequestMalformedError,
  toJsonRpcError,
  VersionNotSupportedError,
} from '@a2a-js/sdk/errors';
import { JsonRpcTransportHandler, ServerCallContext } from '@a2a-js/sdk/server';
import type { Backend } from '../../backend/types.ts';
import type { Log } from '../../log.ts';
import { incomingFault } from '../../model/incoming.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Principal } from '../../model/principal.ts';
import { type Exchange, refuseMethod } from '../http/exchange.ts';
import { answer, sendTexts } from '../http/io.ts';
import { keepAlive } from '../http/keep-alive.ts';
import type { OpenRequest } from '../http/open-requests.ts';
import { idOf } from '../mcp/decode.ts';
import { cardDocument, cardOf } from './card.ts';
import { turnRequests, unforeseen } from './requests.ts';

/** The face that remote agents see: an agent card and an endpoint for each app with an agent. */
export interface A2aFace {
  isCard(path: string): boolean;
  isEndpoint(path: string): boolean;
  /** Anyone may read a card: it names the agent and no data. */
  showCard(exchange: Exchange): undefined;
  /** Answers a request to an endpoint whose body has been read. */
  answer(request: OpenRequest, body: unknown): Promise<void>;
}

export interface A2aOptions {
  backend: Backend;
  /** The agent that speaks for each app. */
  agents: readonly { app: string; agent: string }[];
  version: string;
  /** Whether callers need a token. */
  secured: boolean;
  log: Log;
  /** Milliseconds between two signs of life on a stream that has nothing to tell: proxies end silent connections. */
  keepAliveMs?: number;
  /** How clients reach what stands at the root of this server, without a slash at the end. */
  base(): string;
}

const cardName = '.well-known/agent-card.json';
const defaultKeepAliveMs = 15_000;

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
    answer: async (request, body) => served.get(request.exchange.path)?.answer(request, body),
  };
}

const pathOf = (app: string): string => `/a2a/${encodeURIComponent(app)}`;

function openApp(options: A2aOptions, app: string, agent: string) {
  const { backend, version, secured, base, log, keepAliveMs = defaultKeepAliveMs } = options;
  const card = () => cardOf(app, agent, base() + pathOf(app), version, secured);
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
    document: () => cardDocument(card(), base() + pathOf(app)),
    async answer({ exchange, principal, end }: OpenRequest, body: unknown): Promise<void> {
      const { req, res, headers } = exchange;
      const request: JsonObject = isObject(body) ? body : {};
      const asked = req.headers['a2a-version'];
      const requestedVersion = typeof asked === 'string' && asked !== '' ? asked : '0.3';
      const fault = faultOf(requestedVersion, request);
      const context = new ServerCallContext({
        requestedVersion,
        user: { isAuthenticated: true, userName: principal.userId },
        state: new Map<string, unknown>([
          [principalKey, principal],
          [signalKey, end.signal],
        ]),
      });
      const handler = requestedVersion.startsWith('0.') ? legacy : current;
      const given = fault ?? (await handler.handle(request, context));
      if (!isStream(given)) {
        const body = JSON.stringify(withPlainFault(request, given));
        return answer(res, 200, { ...headers, 'content-type': 'application/json' }, body);
      }
      const stop = keepAlive(res, keepAliveMs);
      await sendTexts(res, { ...headers, ...SSE_HEADERS }, eventsOf(given, request)).finally(stop);
    },
  };
}

/** What is wrong with a request before anybody asks what it wants, as the answer to it. */
function faultOf(version: string, request: JsonObject): object | undefined {
  const error = /^(0\.3|1)(\.|$)/.test(version)
    ? incomingFault(request.params)
    : new VersionNotSupportedError('This server speaks A2A 1.0 and 0.3.');
  if (error === undefined) return undefined;
  const told =
    error instanceof Error ? error : new RequestMalformedError(`${error.path} ${error.what}. ${error.hint}`);
  return errorAnswer(request, told);
}

const isStream = (given: object): given is AsyncIterable<object> => Symbol.asyncIterator in given;

/** The SDK tells of params that it cannot read in words of its own code. Errors of this server have their words already. */
function withPlainFault(request: JsonObject, given: object): object {
  const error = 'error' in given && isObject(given.error) ? given.error : {};
  return error.code === A2A_ERROR_CODE.INTERNAL_ERROR && error.message !== unforeseen
    ? errorAnswer(request, new RequestMalformedError('The params of the request are malformed.'))
    : given;
}

const errorAnswer = (request: JsonObject, error: unknown) => ({
  jsonrpc: '2.0' as const,
  id: idOf(request),
  error: toJsonRpcError(error),
});

async function* eventsOf(pieces: AsyncIterable<object>, request: JsonObject): AsyncGenerator<string, void> {
  try {
    for await (const piece of pieces) yield formatSSEEvent(piece);
  } catch (error) {
    yield formatSSEErrorEvent(errorAnswer(request, error));
  }
}
