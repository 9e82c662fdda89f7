import { SessionError } from '../../errors.ts';
import { isLoopback } from '../../net/loopback.ts';
import type { A2aFace } from '../a2a/index.ts';
import { type ResourceMetadata, resourceMetadata } from '../auth/challenge.ts';
import { type AuthSettings, openAuth } from '../auth/index.ts';
import type { OneTimeKey } from '../auth/one-time-key.ts';
import { principalOf } from '../auth/scopes.ts';
import type { Around, ServerDeps } from '../mcp/deps.ts';
import { serveApp } from '../mcp/served-app.ts';
import { openTelemetry } from '../mcp/telemetry.ts';
import { createLimits, type LimitSettings, type Limits, retryAfter } from './limits.ts';
import { type HttpServer, startTransport, type TransportOptions, urlHost } from './listener.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { createPageAnswers } from './page.ts';
import { createReadiness } from './readiness.ts';

export type HttpSettings = TransportOptions['settings'] &
  AuthSettings & {
    /** Answers at /metrics. */
    metrics: boolean;
    /** Serves agent cards and the A2A protocol below /a2a. */
    a2a: boolean;
    limits: LimitSettings;
  };

/**
 * Serves the tools to many users over HTTP. Without authentication every caller is the operator's user, without the
 * rights of an admin: on loopback any program of this machine can call. With a one-time key only its holder can.
 * @throws SessionError FAILED_PRECONDITION when it would listen to the network without authentication or a public URL
 */
export async function startHttp(
  deps: ServerDeps,
  settings: HttpSettings,
  user: string,
  oneTimeKey?: OneTimeKey,
): Promise<HttpServer> {
  const { log, backends, defaultApp } = deps;
  checkExposure(settings);
  const isOpen = oneTimeKey === undefined && settings.tokens === undefined && settings.oauth === undefined;
  const authenticate = oneTimeKey?.authenticate ?? (await openAuth(settings, log));
  const limits = createLimits(settings.limits, undefined, deps.sharedRecords);
  const prometheus = settings.metrics ? await (await import('./prometheus.ts')).openPrometheus() : undefined;
  const telemetry = await openTelemetry(prometheus === undefined ? [] : [prometheus.meter]);
  const metrics = createMetrics(telemetry.meters, limits);
  const around = limitCalls(limits, metrics, telemetry.around);
  const a2a = settings.a2a ? await openA2a(deps, settings, !isOpen, () => server.url) : undefined;
  const server: HttpServer = await startTransport({
    a2a,
    settings,
    served: serveApp({ ...deps, around }),
    log,
    limits,
    authenticate,
    anonymous: principalOf(user, ['sessions:write']),
    metadata: (port) => metadataOf(settings, port),
    page: deps.page && createPageAnswers(deps.page, settings.path, oneTimeKey),
    metrics,
    metricsText: prometheus?.text,
    ready: createReadiness(backends[0], defaultApp, user),
  });
  log.info('Listening.', {
    url: server.url,
    publicUrl: settings.publicUrl,
    authentication: isOpen ? `none; every caller is ${user}` : 'required',
  });
  return server;
}

/** @throws SessionError FAILED_PRECONDITION when there is no agent that remote agents could talk to */
async function openA2a(
  { backends, agents = [], version, log }: ServerDeps,
  { publicUrl, path }: HttpSettings,
  secured: boolean,
  url: () => string,
): Promise<A2aFace> {
  const backend = backends.find((one) => one.turns?.take !== undefined);
  if (backend === undefined || agents.length === 0)
    throw new SessionError('FAILED_PRECONDITION', '--a2a needs an agent on the local backend.', {
      hint: 'Bind one to an app under "agents" in the file of --config.',
    });
  const { createA2aFace } = await import('../a2a/index.ts');
  const base = () => {
    const { origin, pathname } = new URL(publicUrl ?? url());
    // A proxy may serve all of this under a path of its own.
    return origin + (pathname.endsWith(path) ? pathname.slice(0, -path.length) : '');
  };
  return createA2aFace({ backend, agents, version, secured, base, log });
}

/** @throws SessionError FAILED_PRECONDITION for a server that others could reach without proving who they are */
export function checkExposure({ host, tokens, oauth, publicUrl }: HttpSettings): void {
  if (isLoopback(host)) return;
  if (tokens === undefined && oauth === undefined)
    throw new SessionError(
      'FAILED_PRECONDITION',
      `Without authentication the server does not listen on ${host}.`,
      { hint: 'Give --auth-tokens or --oauth-issuer, or listen on 127.0.0.1.' },
    );
  if (oauth !== undefined && publicUrl === undefined)
    throw new SessionError(
      'FAILED_PRECONDITION',
      `With --oauth-issuer the server listens on ${host} only when --public-url says how clients reach it, because that address is what tokens are issued for.`,
    );
}

/** Limits the concurrent tool calls of each user. */
function limitCalls(limits: Limits, metrics: Metrics | undefined, around: Around): Around {
  return async (call, run) => {
    const release = await limits.takeCall(call.principal.userId);
    if (release === undefined) {
      metrics?.refused('calls');
      throw tooManyCalls(limits.settings.calls);
    }
    try {
      return await around(call, run);
    } finally {
      release();
    }
  };
}

function tooManyCalls(most: number): SessionError {
  return new SessionError(
    'RESOURCE_EXHAUSTED',
    `You have reached the limit of ${most} calls at the same time.`,
    {
      hint: 'Wait for one of them to end, then call again.',
      retryAfter: retryAfter.calls,
    },
  );
}

function metadataOf(settings: HttpSettings, port: number): ResourceMetadata | undefined {
  const { oauth, publicUrl, host, path } = settings;
  if (oauth === undefined) return undefined;
  return resourceMetadata(new URL(publicUrl ?? `http://${urlHost(host)}:${port}${path}`), oauth.issuer);
}
