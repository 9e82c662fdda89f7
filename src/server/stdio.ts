import type { JSONRPCMessage, McpServer, Transport } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { isObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import { readsAfterWrites } from './mcp/call-order.ts';
import type { ServerDeps } from './mcp/deps.ts';
import { serverBuilder } from './mcp/server.ts';
import { watchResources } from './mcp/subscriptions.ts';
import { openTelemetry } from './mcp/telemetry.ts';
import { openLineTransport, type Streams } from './stdio-transport.ts';

/** A message may be as long as the largest artifact in base64, and then some. */
const maxMessageBytes = 32 * 1024 * 1024;

export interface StdioServer {
  /** Resolves when the client has gone. */
  closed: Promise<void>;
  close(): Promise<void>;
}

/** Serves one client of either protocol era over the stdin and stdout of this process. */
export async function startStdio(
  deps: ServerDeps,
  principal: Principal,
  streams: Streams,
): Promise<StdioServer> {
  const { around } = await openTelemetry();
  const build = serverBuilder({ ...deps, around: readsAfterWrites(around) });
  let current: McpServer | undefined;
  const watch = watchResources(deps, principal, (uri) => {
    current?.server.sendResourceUpdated({ uri }).catch(() => {});
  });
  let gone: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    gone = resolve;
  });
  const wire = openLineTransport(streams, maxMessageBytes);
  const handle = serveStdio(
    () => {
      current = build(principal);
      // Clients of 2025 subscribe address by address; each address is its own key.
      current.server.setRequestHandler('resources/subscribe', ({ params }) => {
        watch.hold(params.uri, [params.uri]);
        return {};
      });
      current.server.setRequestHandler('resources/unsubscribe', ({ params }) => {
        watch.hold(params.uri, []);
        return {};
      });
      return current;
    },
    {
      transport: tapped(wire, (message) => watchListening(message, watch.hold), gone),
      onerror: (error) => deps.log.warn('The transport reported an error.', { error }),
    },
  );
  return {
    closed,
    async close() {
      watch.close();
      await handle.close();
    },
  };
}

/**
 * Clients of 2026 subscribe with one long request, which the SDK answers by itself and forwards our
 * notifications to; what it does not tell us is which addresses it listens to, so we read along.
 */
function watchListening(message: JSONRPCMessage, hold: (key: string, uris: string[]) => void): void {
  if (!('method' in message) || !isObject(message.params)) return;
  if (message.method === 'notifications/cancelled') hold(`listen ${String(message.params.requestId)}`, []);
  if (message.method !== 'subscriptions/listen' || !('id' in message)) return;
  const { notifications } = message.params;
  const uris = isObject(notifications) ? notifications.resourceSubscriptions : undefined;
  if (Array.isArray(uris))
    hold(
      `listen ${String(message.id)}`,
      uris.filter((uri) => typeof uri === 'string'),
    );
}

/** The same transport, with every incoming message shown to `see` first, and its end to `end`. */
function tapped(wire: Transport, see: (message: JSONRPCMessage) => void, end: () => void): Transport {
  const tap: Transport = {
    start() {
      wire.onmessage = (message) => {
        see(message);
        tap.onmessage?.(message);
      };
      wire.onerror = (error) => tap.onerror?.(error);
      wire.onclose = () => {
        tap.onclose?.();
        end();
      };
      return wire.start();
    },
    send: (message) => wire.send(message),
    close: () => wire.close(),
  };
  return tap;
}
