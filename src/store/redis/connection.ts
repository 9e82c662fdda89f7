import { isDistrusted } from '../certificate.ts';
import { loadDriver } from '../driver.ts';
import type { RedisAddress } from './address.ts';
import { isPassing, isReadOnly, isRefusal, isUnknownScript, redisError, unreachable } from './errors.ts';
import type { Script } from './lua.ts';

/** What Redis answers, in the second version of its protocol. */
export type Reply = string | number | null | Reply[];

export interface Connection {
  /**
   * Sends a command, again after the connection was lost, until it is answered or has been kept from it for
   * `reconnectPatience`: a command that writes must be one that may be sent twice.
   */
  send(args: readonly string[]): Promise<Reply>;
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<Reply>;
  /** A second connection for messages of a channel, made when it is first asked for. */
  listen(channel: string, onMessage: () => void): Promise<void>;
  unlisten(channel: string): Promise<void>;
  /** Called when messages may have been missed. */
  onGap(callback: () => void): void;
  /** Called when it is connected again, perhaps to another server. */
  onReconnect(callback: () => void): void;
  close(): Promise<void>;
}

/** Milliseconds that a call waits for a lost connection before it gives up with UNAVAILABLE. */
const reconnectPatience = 5_000;
/** Milliseconds without an answer after which a connection counts as lost; silence is broken by pings. */
const silence = 10_000;
const pingInterval = 3_000;

/** @throws SessionError UNAVAILABLE, FAILED_PRECONDITION when the driver is missing or refuses the credentials */
export async function connectRedis(address: RedisAddress): Promise<Connection> {
  const { createClient } = await loadDriver('redis', () => import('redis'));
  const { location } = address;
  let opened = false;
  let closed = false;
  let lastError: unknown;
  const opening = performance.now();
  const client = createClient({
    url: address.url,
    RESP: 2,
    // Whoever calls is told after a bounded time, and what was sent may not be sent again blindly.
    disableOfflineQueue: true,
    maintNotifications: 'disabled',
    pingInterval,
    socket: {
      connectTimeout: reconnectPatience,
      socketTimeout: silence,
      noDelay: true,
      reconnectStrategy(retries, cause) {
        const error = lastError ?? cause;
        const hopeless =
          isRefusal(error) || isDistrusted(error) || performance.now() - opening > reconnectPatience;
        if (closed || (!opened && hopeless)) return cause;
        return Math.min(1000, 20 * 2 ** retries) * (0.5 + Math.random() / 2);
      },
    },
  });
  client.on('error', (error: unknown) => {
    lastError = error;
  });
  const reconnected: (() => void)[] = [];
  client.on('ready', () => {
    lastError = undefined;
    for (const callback of reconnected) callback();
  });
  try {
    await client.connect();
  } catch (error) {
    closed = true;
    if (client.isOpen) client.destroy();
    throw redisError(lastError ?? error, location);
  }
  opened = true;

  async function attempt<T>(call: () => Promise<T>): Promise<T> {
    // Counted from the first failure: what hung before it was lost says nothing of how long it will be away.
    let deadline: number | undefined;
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isPassing(error)) throw redisError(error, location);
        deadline ??= performance.now() + reconnectPatience;
        if (closed || performance.now() > deadline) throw unreachable(location, error);
        if (isReadOnly(error) && client.isReady) reconnect();
      }
      await new Promise((resolve) => setTimeout(resolve, 10 + Math.random() * 40));
    }
  }

  /** After a failover the name may lead to another server. Nobody waits for it: it may take as long as that is away. */
  function reconnect(): void {
    client.destroy();
    client.connect().catch((error: unknown) => {
      lastError = error;
    });
  }

  const send = (args: readonly string[]) => attempt(() => client.sendCommand<Reply>([...args]));
  const gaps: (() => void)[] = [];
  type Client = typeof client;
  let listener: Promise<Client> | undefined;

  function listening(): Promise<Client> {
    listener ??= (async () => {
      const second = client.duplicate();
      let before = false;
      second.on('error', () => {});
      second.on('ready', () => {
        if (before) for (const callback of gaps) callback();
        before = true;
      });
      await second.connect();
      return second;
    })().catch((error: unknown) => {
      listener = undefined;
      throw error;
    });
    return listener;
  }

  return {
    send,
    async run({ source, sha1 }, keys, args) {
      const rest = [String(keys.length), ...keys, ...args];
      return attempt(async () => {
        try {
          return await client.sendCommand<Reply>(['EVALSHA', sha1, ...rest]);
        } catch (error) {
          // A server that was restarted has forgotten its scripts.
          if (isUnknownScript(error)) return client.sendCommand<Reply>(['EVAL', source, ...rest]);
          throw error;
        }
      });
    },
    async listen(channel, onMessage) {
      await (await listening()).subscribe(channel, onMessage);
    },
    async unlisten(channel) {
      await (await listener)?.unsubscribe(channel);
    },
    onGap(callback) {
      gaps.push(callback);
    },
    onReconnect(callback) {
      reconnected.push(callback);
    },
    async close() {
      closed = true;
      const second = await listener?.catch(() => undefined);
      for (const one of [client, second]) if (one?.isOpen === true) one.destroy();
    },
  };
}
