import {
  type AuthInfo,
  createMcpHandler,
  isLegacyRequest,
  type McpHttpHandler,
  type McpServerFactory,
  PROTOCOL_VERSION_META_KEY,
} from '@modelcontextprotocol/server';
import { isObject } from '../../model/json.ts';
import type { Principal } from '../../model/principal.ts';
import type { ServedApp } from '../mcp/served-app.ts';

export interface RequestCall {
  principal: Principal;
  authInfo: AuthInfo | undefined;
  /** The parsed body; undefined for a request without one. */
  body: unknown;
  /** The tool that the body calls. */
  tool?: string | undefined;
}

/** The protocol since 2026-07-28, in which every request stands alone. */
export interface RequestHandler {
  /** Whether a request is of the era of 2025 or earlier. */
  isLegacy(request: Request, body: unknown): Promise<boolean>;
  fetch(request: Request, call: RequestCall): Promise<Response>;
  /** The addresses in the body of a subscriptions/listen. */
  addressesOf(body: unknown): string[];
  /** Answers a subscriptions/listen; `end` ends its stream without an error. */
  listen(request: Request, call: RequestCall): Promise<{ response: Response; end(): void }>;
  close(): Promise<void>;
}

export interface RequestHandlerOptions {
  served: ServedApp;
  /** Whether it also answers requests of 2025, without sessions. */
  servesLegacy: boolean;
  keepAliveMs: number;
  onerror(error: Error): void;
}

export function createRequestHandler({
  served,
  servesLegacy,
  keepAliveMs,
  onerror,
}: RequestHandlerOptions): RequestHandler {
  // The library passes the request to its factory, which finds the caller by it.
  const calls = new WeakMap<Request, RequestCall>();
  const factory: McpServerFactory = ({ era, requestInfo }) => {
    const call = requestInfo === undefined ? undefined : calls.get(requestInfo);
    if (call === undefined) throw new Error('A request arrived without passing the gate.');
    const server = served.build(call.principal, call.tool);
    // Without a session there is no stream for the updates of 2025.
    if (era === 'legacy' && server.server.getCapabilities().resources !== undefined)
      server.server.registerCapabilities({ resources: { subscribe: false } });
    return server;
  };
  const legacy = servesLegacy ? 'stateless' : 'reject';
  const handler = createMcpHandler(factory, { legacy, onerror, keepAliveMs });
  const listening = new Set<McpHttpHandler>();

  function handle(by: McpHttpHandler, request: Request, call: RequestCall): Promise<Response> {
    calls.set(request, call);
    const { authInfo, body } = call;
    return by.fetch(request, {
      ...(authInfo === undefined ? {} : { authInfo }),
      ...(body === undefined ? {} : { parsedBody: body }),
    });
  }

  return {
    isLegacy: async (request, body) => !claims2026(body) && (await isLegacyRequest(request, body)),
    fetch: (request, call) => handle(handler, request, call),
    addressesOf,
    async listen(request, call) {
      // This stream has a handler of its own, because the bus must carry only what this principal may see.
      const own: McpHttpHandler = createMcpHandler(factory, {
        legacy: 'reject',
        onerror,
        keepAliveMs,
        bus: {
          publish() {},
          subscribe(listener) {
            listening.add(own);
            const stop = served.listen(call.principal, addressesOf(call.body), listener);
            return () => {
              stop();
              listening.delete(own);
            };
          },
        },
      });
      return { response: await handle(own, request, call), end: () => void own.close() };
    },
    async close() {
      await Promise.all([...listening, handler].map((each) => each.close()));
    },
  };
}

/**
 * Whether a request says that it is of 2026, as nearly all of its clients do. The SDK says the same of it, after it has
 * looked through the whole message, which it does again to answer it.
 */
function claims2026(body: unknown): boolean {
  if (!isObject(body) || typeof body.method !== 'string' || body.method === 'initialize') return false;
  const meta = isObject(body.params) ? body.params._meta : undefined;
  return isObject(meta) && PROTOCOL_VERSION_META_KEY in meta;
}

function addressesOf(body: unknown): string[] {
  const params = isObject(body) ? body.params : undefined;
  const wanted = isObject(params) && isObject(params.notifications) ? params.notifications : {};
  const uris = wanted.resourceSubscriptions;
  return Array.isArray(uris) ? [...new Set(uris.filter((uri) => typeof uri === 'string'))] : [];
}
