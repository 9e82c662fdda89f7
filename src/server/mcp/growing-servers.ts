import type { McpServer } from '@modelcontextprotocol/server';
import type { Backend } from '../../backend/types.ts';

/** Servers whose tools can become more while a client is connected, because a backend found out what it can do. */
export interface GrowingServers {
  /** Whether a backend can still get verbs. */
  possible(): boolean;
  /** Has `grow` called when that happens, for as long as the server is in use. */
  add(server: McpServer, grow: () => void): void;
}

/** Servers after which those that are gone are swept out. */
const mostHeld = 1000;

/** @param onChange called before the servers grow */
export function openGrowingServers(backends: readonly Backend[], onChange: () => void): GrowingServers {
  const grows = new WeakMap<McpServer, () => void>();
  // Nobody says when a server is no longer used, and there may be one for each request.
  const servers = new Set<WeakRef<McpServer>>();
  for (const backend of backends)
    backend.onCapabilitiesChanged?.(() => {
      onChange();
      for (const held of servers) {
        const server = held.deref();
        if (server === undefined) servers.delete(held);
        else grows.get(server)?.();
      }
    });
  return {
    possible: () => backends.some((backend) => backend.onCapabilitiesChanged !== undefined),
    add(server, grow) {
      if (servers.size >= mostHeld)
        for (const held of servers) if (held.deref() === undefined) servers.delete(held);
      grows.set(server, grow);
      servers.add(new WeakRef(server));
    },
  };
}
