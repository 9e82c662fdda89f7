import type { McpServer, ServerEvent } from '@modelcontextprotocol/server';
import type { Principal } from '../../model/principal.ts';
import type { ServerDeps } from './deps.ts';
import { serverBuilder } from './server.ts';
import { watchResources } from './subscriptions.ts';

/** The application behind the HTTP transport: this product, or the fixture of the conformance suite. */
export interface ServedApp {
  /**
   * Builds a server for one request, or for one protocol session of 2025. With `tool`, the only request is a call of
   * that tool.
   */
  build(principal: Principal, tool?: string): McpServer;
  /** Publishes changes of the principal's resources at these addresses, until the returned function is called. */
  listen(principal: Principal, uris: readonly string[], publish: (event: ServerEvent) => void): () => void;
}

/** This product as a served application. */
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
