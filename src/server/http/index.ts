import { SessionError } from '../../errors.ts';
import { isLoopback } from '../../net/secure-url.ts';
import { type AuthSettings, openAuth, resourceMetadata } from '../auth/index.ts';
import { principalOf } from '../auth/scopes.ts';
import type { Around, ServerDeps } from '../mcp/deps.ts';
import { serveApp } from '../mcp/served-app.ts';
import { createLimits, type LimitSettings, type Limits, retryAfter } from './limits.ts';
import { type HttpServer, startTransport, type TransportOptions } from './listener.ts';
import { createMetrics, type Metrics } from './metrics.ts';

export type HttpSettings = TransportOptions['settings'] &
  AuthSettings & {
    /** Answers at /metrics. */
    metrics: boolean;
    limits: LimitSettings;
  };

/** Milliseconds for which the backend is taken to be as it was when last asked. */
const readyMs = 5000;
const readyTimeoutMs = 2000;

/**
 * Serves the tools to many users over HTTP. Without authentication whoever reaches the port is the operator's
 * user, but no admin: on loopback that is any program of this machine.
 * @throws SessionError FAILED_PRECONDITION when it would listen to the network without authentication
 */
export async function startHttp(deps: ServerDeps, settings: HttpSettings, user: string): Promise<HttpServer> {
  const { log } = deps;
  const isOpen = settings.tokens === undefined && settings.oauth === undefined;
  if (isOpen && !isLoopback(settings.host))
    throw new SessionError(
      'FAILED_PRECONDITION',
      `Without authentication the server does not listen on ${settings.host}.`,
      { hint: 'Give --auth-tokens or --oauth-issuer, or listen on 127.0.0.1.' },
    );
  const authenticate = await openAuth(settings, log);
  const limits = createLimits(settings.limits);
  const metrics = settings.metrics ? createMetrics() : undefined;
  const around = surround(limits, metrics, deps.around);
  const server = await startTransport({
    settings,
    served: serveApp({ ...deps, around }),
    log,
    limits,
    authenticate,
    anonymous: principalOf(user, ['sessions:write']),
    metadata: metadataOf(settings),
    metrics,
    ready: readiness(deps, user),
  });
  log.info('Listening.', {
    url: server.url,
    publicUrl: settings.publicUrl,
    authentication: isOpen ? `none; every caller is ${user}` : 'bearer tokens',
  });
  return server;
}

/** What the user has of calls is counted here, and each call is measured. */
function surround(limits: Limits, metrics: Metrics | undefined, trace: Around | undefined): Around {
  return async (call, run) => {
    const release = limits.take(call.principal.userId, 'calls');
    if (release === undefined) {
      metrics?.refused('calls');
      throw tooManyCalls(limits.settings.calls);
    }
    const began = performance.now();
    let code = 'INTERNAL';
    try {
      const result = await (trace === undefined ? run() : trace(call, run));
      code = 'OK';
      return result;
    } catch (error) {
      if (error instanceof SessionError) code = error.code;
      throw error;
    } finally {
      release();
      metrics?.call(call.tool, code, (performance.now() - began) / 1000);
    }
  };
}

function tooManyCalls(most: number): SessionError {
  return new SessionError('RESOURCE_EXHAUSTED', `You have ${most} calls under way, and that is the limit.`, {
    hint: 'Wait for one of them to end, then call again.',
    retryAfter: retryAfter.calls,
  });
}

function metadataOf({ oauth, publicUrl, host, port, path }: HttpSettings): TransportOptions['metadata'] {
  if (oauth === undefined) return undefined;
  const resource = new URL(publicUrl ?? `http://${host.includes(':') ? `[${host}]` : host}:${port}${path}`);
  const below = resource.pathname === '/' ? '' : resource.pathname;
  const place = `/.well-known/oauth-protected-resource${below}`;
  return { url: resource.origin + place, document: resourceMetadata(resource.href, oauth.issuer) };
}

/** Whether the default backend answers; asked of it once in a while, however often others ask. */
function readiness({ backends, defaultApp }: ServerDeps, userId: string): () => Promise<void> {
  const [backend] = backends;
  let asked = Number.NEGATIVE_INFINITY;
  let answer = Promise.resolve();
  return () => {
    if (Date.now() - asked < readyMs) return answer;
    asked = Date.now();
    const app = backend?.defaultApp ?? defaultApp;
    const work = backend?.sessions?.list?.({ app, userId, pageSize: 1 });
    answer = within(readyTimeoutMs, work ?? Promise.resolve());
    // Nobody may be waiting when it fails.
    answer.catch(() => {});
    return answer;
  };
}

async function within(ms: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error('The backend did not answer in time.')), ms);
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
