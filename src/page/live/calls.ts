import { type Signal, signal } from '@preact/signals';
import type { JsonObject } from '../../model/json.ts';
import { type Bridge, CallFailure, type CallOptions, isLost } from '../bridge/types.ts';

/** `token`: the server wants to know who is asking. */
type Connection = 'starting' | 'ok' | 'lost' | 'token';

/** Who the page speaks as, and to what. */
interface Standing {
  userId: string;
  admin: boolean;
  defaultApp: string;
  backends: readonly string[];
}

/** Calls of the server's tools, and what is known of the way there. */
export interface Calls {
  bridge: Bridge;
  connection: Signal<Connection>;
  standing: Signal<Standing | undefined>;
  /** Whether the server lists the tool, with the argument where arguments are known. */
  has(tool: string, argument?: string): boolean;
  /** @throws CallFailure */
  call<T = JsonObject>(tool: string, args: JsonObject, options?: CallOptions): Promise<T>;
  /** The same for what only reads: when the server is lost, it waits until the server is back. */
  read<T = JsonObject>(tool: string, args: JsonObject, options?: CallOptions): Promise<T>;
  /** How much longer to wait between two looks: a remote service counts requests, and a host may show each call. */
  patience(backend: string | undefined): number;
  /** Asks the server who the caller is and what it can do. */
  greet(): Promise<void>;
}

function standingOf(described: JsonObject | undefined): Standing | undefined {
  if (described === undefined) return undefined;
  const { userId, admin, defaultApp, backends } = described;
  return {
    userId: String(userId),
    admin: admin === true,
    defaultApp: String(defaultApp),
    backends: (Array.isArray(backends) ? backends : []).map(({ name }) => String(name)),
  };
}

/** Failures that every other call would meet too. */
const standsInTheWay = ['UNAVAILABLE', 'UNAUTHENTICATED'];

const [firstPauseMs, longestPauseMs] = [500, 5000];

export function openCalls(bridge: Bridge): Calls {
  const connection = signal<Connection>('starting');
  const standing = signal<Standing | undefined>();
  let tools: Awaited<ReturnType<Bridge['tools']>> = new Map();
  let mending: Promise<void> | undefined;

  async function greet(): Promise<void> {
    const described = bridge.call('describe_server', {}).catch((error: unknown) => {
      // Servers may be set up without this tool.
      if (error instanceof CallFailure && standsInTheWay.includes(error.code)) throw error;
      return undefined;
    });
    [tools, standing.value] = await Promise.all([bridge.tools(), described.then(standingOf)]);
    connection.value = 'ok';
  }

  async function mend(): Promise<void> {
    connection.value = 'lost';
    for (let ms = firstPauseMs; ; ms = Math.min(2 * ms, longestPauseMs)) {
      await new Promise((resolve) => setTimeout(resolve, ms));
      try {
        return await greet();
      } catch (error) {
        if (!isLost(error)) throw note(error);
      }
    }
  }

  /** Takes from a failure what it says of the way to the server. */
  function note(error: unknown): unknown {
    if (error instanceof CallFailure && error.code === 'UNAUTHENTICATED') connection.value = 'token';
    if (isLost(error) && mending === undefined && connection.value !== 'starting')
      mending = mend()
        .catch(() => {})
        .finally(() => {
          mending = undefined;
        });
    return error;
  }

  async function call<T>(tool: string, args: JsonObject, options?: CallOptions): Promise<T> {
    try {
      return (await bridge.call(tool, args, options)) as T;
    } catch (error) {
      throw note(error);
    }
  }

  return {
    bridge,
    connection,
    standing,
    has(tool, argument) {
      const known = tools.get(tool);
      return tools.has(tool) && (argument === undefined || known === undefined || known.has(argument));
    },
    call,
    async read<T>(tool: string, args: JsonObject, options?: CallOptions): Promise<T> {
      for (;;) {
        try {
          return await call<T>(tool, args, options);
        } catch (error) {
          if (!isLost(error) || options?.signal?.aborted === true) throw error;
          await mending;
          if (connection.value !== 'ok') throw error;
        }
      }
    },
    patience: (backend) =>
      bridge.kind === 'browser' && (backend ?? standing.value?.backends[0] ?? 'local') === 'local' ? 1 : 5,
    async greet() {
      try {
        await greet();
      } catch (error) {
        connection.value = isLost(error) ? 'lost' : connection.value;
        throw note(error);
      }
    },
  };
}
