import { createLog } from '../../src/log.ts';
import { principalOf } from '../../src/server/auth/scopes.ts';
import { createLimits, defaultLimits } from '../../src/server/http/limits.ts';
import { type HttpServer, startTransport } from '../../src/server/http/listener.ts';
import { defaults, startProduct } from '../server/http/harness.ts';
import { conformanceFixture } from './fixture.ts';

/** The fixture on the product's transport, as the product starts it. */
export function startConformanceServer(): Promise<HttpServer> {
  return startTransport({
    settings: defaults(),
    served: conformanceFixture(),
    log: createLog(() => {}),
    limits: createLimits(defaultLimits),
    anonymous: principalOf('judge', ['sessions:write']),
    ready: async () => {},
  });
}

/** The product itself, with one session to find. */
export async function startProductServer(): Promise<{ url: string; close(): Promise<void> }> {
  const product = await startProduct({ user: 'judge' });
  await product.backend.sessions?.create?.({ app: 'default', userId: 'judge' }, { sessionId: 'alpha' });
  return { url: product.url, close: product.end };
}
