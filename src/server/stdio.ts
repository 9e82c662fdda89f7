import type { JSONRPCMessage, McpServer, RequestId, Transport } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import { isObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import { readsAfterWrites } from './mcp/call-order.ts';
import type { ServerDeps } from './mcp/deps.ts';
import { serverBuilder } from './mcp/server.ts';
import { watchResources } from './mcp/subscriptions.ts';
import { openTelemetry } from './mcp/telemetry.ts';
import { openLineTransport, type Streams } from './stdio-transport.ts';
import { followUnanswered } from './unanswered.ts';

/** Longest message in bytes. It has room for the largest artifact in base64. */
const maxMessageBytes = 32 * 1024 * 1024;

export interface StdioServer {
  /** Resolves when the client has gone. */
  closed: Promise<void>;
  /** Waits a moment for calls under way, answers the rest with an error, and ends. */
  close(): Promise<void>;
}

/** Milliseconds that an ending server waits for calls under way, or for the next of them where the input has ended. */
const answerMs = 400;

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
  let isGone = false;
  let gone: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    gone = () => {
      isGone = true;
      resolve();
    };
  });
  const unanswered = followUnanswered();
  const refuse = (ids: readonly RequestId[], message: string) => {
    for (const id of ids) wire.send({ jsonrpc: '2.0', id, error: { code: -32000, message } }).catch(() => {});
  };
  const wire = openLineTransport(streams, maxMessageBytes, async () =>
    refuse(await unanswered.afterLast(answerMs), 'The input ended before this call did.'),
  );
  const handle = serveStdio(
    () => {
      current = build(principal);
      // Clients of 2025 subscribe to one address at a time, so the address is the key.
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
      transport: tapped(wire, {
        received(message) {
          unanswered.received(message);
          watchListening(message, watch.hold);
        },
        sent: unanswered.sent,
        ended: gone,
      }),
      onerror: (error) => deps.log.warn('The transport reported an error.', { error }),
    },
  );
  return {
    closed,
    async close() {
      watch.close();
      const left = isGone ? [] : await unanswered.after(answerMs);
      refuse(left, 'The server is shutting down. Call again in a moment.');
      await handle.close();
    },
  };
}

/**
 * Reads which addresses a client of 2026 subscribes to. It subscribes with one long request, which the SDK answers and
 * sends our notifications to, without telling this server the addresses.
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

interface Tap {
  /** Called with each message, before it is handled. */
  received(message: JSONRPCMessage): void;
  sent(message: JSONRPCMessage): void;
  ended(): void;
}

function tapped(wire: Transport, { received, sent, ended }: Tap): Transport {
  const tap: Transport = {
    start() {
      wire.onmessage = (message) => {
        received(message);
        tap.onmessage?.(message);
      };
      wire.onerror = (error) => tap.onerror?.(error);
      wire.onclose = () => {
        tap.onclose?.();
        ended();
      };
      return wire.start();
    },
    send(message) {
      sent(message);
      return wire.send(message);
    },
    close: () => wire.close(),
  };
  return tap;
}
