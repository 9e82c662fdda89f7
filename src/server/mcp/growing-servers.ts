import type { McpServer } from '@modelcontextprotocol/server';
import type { Backend } from '../../backend/types.ts';

/** Servers that get more tools while a client is connected, because a backend has detected what its service can do. */
export interface GrowingServers {
  /** Whether a backend can still get verbs. */
  possible(): boolean;
  /** Calls `grow` when a backend got verbs, for as long as the server is in use. */
  add(server: McpServer, grow: () => void): void;
}

/** The number of servers above which references to unused ones are removed. */
const mostHeld = 1000;

/** @param onChange called before the servers grow */
export function openGrowingServers(backends: readonly Backend[], onChange: () => void): GrowingServers {
  const grows = new WeakMap<McpServer, () => void>();
  // There may be a server for each request, and nothing tells when one is no longer used.
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
