import type { McpServer, ServerEvent } from '@modelcontextprotocol/server';
import type { Principal } from '../../model/principal.ts';
import type { ServerDeps } from './deps.ts';
import { serverBuilder } from './server.ts';
import { watchResources } from './subscriptions.ts';

/** What the HTTP transport serves: the product's tools, or a judge's fixture. */
export interface ServedApp {
  /**
   * A server for one request, or for one protocol session of 2025. With `tool`, the request is a call of
   * that tool and nothing else will be asked of the server.
   */
  build(principal: Principal, tool?: string): McpServer;
  /** Publishes what changes behind the addresses, as this principal sees them, until the result is called. */
  listen(principal: Principal, uris: readonly string[], publish: (event: ServerEvent) => void): () => void;
}

/** The product. */
export function serveApp(deps: ServerDeps): ServedApp {
  return {
    build: serverBuilder(deps),
    listen(principal, uris, publish) {
      const watch = watchResources(deps, principal, (uri) => publish({ kind: 'resource_updated', uri }));
      watch.hold('', uris);
      return watch.close;
    },
  };
}
