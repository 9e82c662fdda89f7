import { type McpServer, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server';
import type { Principal } from '../../model/principal.ts';
import type { ServedApp } from '../mcp/served-app.ts';
import type { Limits } from './limits.ts';

/** Answers resources/subscribe and notifies the session of changes. */
export function watchAddresses(server: McpServer, served: ServedApp, principal: Principal, limits: Limits) {
  const held = new Map<string, () => void>();
  let isClosed = false;
  const drop = (uri: string) => {
    held.get(uri)?.();
    held.delete(uri);
  };
  if (server.server.getCapabilities().resources?.subscribe === true) {
    server.server.setRequestHandler('resources/subscribe', async ({ params: { uri } }) => {
      if (held.has(uri)) return {};
      const release = await limits.take(principal.userId, 'subscriptions');
      if (release === undefined)
        throw new ProtocolError(ProtocolErrorCode.InternalError, 'Subscription limit reached');
      // While other servers were asked, the session may have ended, or subscribed to it a second time.
      if (isClosed || held.has(uri)) {
        release();
        return {};
      }
      const stop = served.listen(principal, [uri], (event) => {
        if (event.kind === 'resource_updated') server.server.sendResourceUpdated({ uri }).catch(() => {});
      });
      held.set(uri, () => {
        stop();
        release();
      });
      return {};
    });
    server.server.setRequestHandler('resources/unsubscribe', ({ params: { uri } }) => {
      drop(uri);
      return {};
    });
  }
  return {
    close() {
      isClosed = true;
      for (const uri of held.keys()) drop(uri);
    },
  };
}
