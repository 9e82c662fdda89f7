import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { SessionError } from '../../errors.ts';
import { logWith } from '../../log.ts';
import type { ResourceMetadata } from '../auth/challenge.ts';
import { createEndpoint, type EndpointOptions } from './endpoint.ts';
import { describeExchange, type Exchange, openExchange, refuse } from './exchange.ts';
import { createGate, type GateOptions } from './gate.ts';
import { skipBody } from './io.ts';
import { restartSeconds } from './open-requests.ts';

export interface TransportOptions extends Omit<GateOptions, 'metadata'>, Omit<EndpointOptions, 'metadata'> {
  settings: GateOptions['settings'] &
    EndpointOptions['settings'] & {
      port: number;
      /** Most TCP connections of all clients together. */
      connections: number;
      /** Whether every request gets a line in the log. */
      accessLog: boolean;
    };
  /** Makes the metadata, once the port is known. */
  metadata?: ((port: number) => ResourceMetadata | undefined) | undefined;
  /** Milliseconds between two checks for idle sessions and revoked tokens. */
  checkMs?: number | undefined;
}

export interface HttpServer {
  /** The endpoint's URL for clients on this machine. */
  url: string;
  /** Resolves when the server has ended. */
  closed: Promise<void>;
  /**
   * Ends streams, waits up to `graceMs` milliseconds for calls under way, answers the rest with an error, and ends. For
   * a few seconds new requests still get a 503 with Retry-After, so that a load balancer notices before the port closes.
   */
  close(graceMs?: number): Promise<void>;
}

const defaultCheckMs = 5000;
/** Below the 10 s after which Docker forces the end of a container (Kubernetes: 30 s). */
const defaultGraceMs = 8000;
const reachableMs = 3000;
/** Milliseconds to wait for the body of a request that is refused because the server ends. */
const restMs = 500;
/** Milliseconds to wait until the last answers are sent. */
const flushMs = 1000;

/**
 * Serves both eras of the protocol over plain HTTP. It is our own code on node:http because the SDK's handler for Node
 * reads and parses bodies twice (`npm run bench -- http` compares both), and the frameworks that the SDK has adapters
 * for answer errors in HTML and have limits of their own.
 * @throws SessionError when it cannot listen
 */
export async function startTransport(options: TransportOptions): Promise<HttpServer> {
  const { settings, log, metrics } = options;
  let draining = false;
  let answers: Answers | undefined;

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const began = performance.now();
    const exchange = openExchange(req, res);
    res.once('close', () => {
      const ms = performance.now() - began;
      metrics?.request(req.method ?? '', res.statusCode, ms / 1000);
      if (settings.accessLog) log.info('request', describeExchange(exchange, ms));
    });
    try {
      if (draining) exchange.headers.connection = 'close';
      const principal = await answers?.gate(exchange);
      if (principal === undefined) return;
      if (!draining) return await answers?.endpoint.serve(exchange, principal);
      await skipBody(req, restMs);
      refuse(exchange, 503, 'The server is shutting down. Call again in a moment.', {
        retryAfter: restartSeconds,
      });
    } catch (error) {
      logWith(log, { requestId: exchange.id }).error('A request failed unexpectedly.', { error });
      if (res.headersSent) res.destroy();
      else refuse(exchange, 500, 'Internal server error', { code: -32603 });
    }
  }

  const server = createServer(
    { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000, connectionsCheckingInterval: 5000 },
    (req, res) => void handle(req, res),
  );
  server.headersTimeout = 15_000;
  server.requestTimeout = 60_000;
  // Longer than clients keep idle connections, so that none sends on a connection that the server is closing.
  server.keepAliveTimeout = 65_000;
  server.maxConnections = settings.connections;
  let ended: () => void = () => {};
  const closed = new Promise<void>((resolve) => {
    ended = resolve;
  });
  await new Promise<void>((resolve, reject) => {
    server.on('error', (cause) => {
      log.error('The HTTP server reported an error.', { cause });
      reject(cannotListen(settings, cause));
    });
    server.listen(settings.port, settings.host, resolve);
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : settings.port;
  const metadata = options.metadata?.(port);
  const ready = () =>
    draining ? Promise.reject(new Error('The server is shutting down.')) : options.ready();
  const endpoint = createEndpoint({ ...options, metadata });
  answers = { gate: createGate({ ...options, metadata, ready }), endpoint };
  const check = setInterval(() => {
    endpoint.endIdleSessions();
    endpoint.endRevoked().catch((error: unknown) => log.error('Tokens could not be checked.', { error }));
  }, options.checkMs ?? defaultCheckMs);
  check.unref();

  return {
    url: endpointUrl({ ...settings, port }),
    closed,
    async close(graceMs = defaultGraceMs) {
      if (draining) return closed;
      draining = true;
      clearInterval(check);
      const seen = new Promise<void>((resolve) => setTimeout(resolve, Math.min(graceMs, reachableMs)));
      await Promise.all([endpoint.close(graceMs), seen]);
      const silent = new Promise<void>((resolve) => server.close(() => resolve()));
      const flushed = setInterval(() => server.closeIdleConnections(), 10);
      const forced = setTimeout(() => server.closeAllConnections(), Math.min(graceMs, flushMs));
      await silent;
      clearInterval(flushed);
      clearTimeout(forced);
      ended();
    },
  };
}

interface Answers {
  gate(exchange: Exchange): ReturnType<ReturnType<typeof createGate>>;
  endpoint: ReturnType<typeof createEndpoint>;
}

/** A host name or address as it is written in a URL. */
export const urlHost = (host: string): string => (host.includes(':') ? `[${host}]` : host);

/** The endpoint's URL for a client on this machine. */
export const endpointUrl = ({ host, port, path }: { host: string; port: number; path: string }): string =>
  `http://${urlHost(reachable(host))}:${port}${path}`;

const reachable = (host: string): string => (host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host);

function cannotListen({ host, port }: { host: string; port: number }, cause: Error): SessionError {
  return new SessionError('FAILED_PRECONDITION', `The server cannot listen on ${host}, port ${port}.`, {
    hint: 'Check that no other program uses the port, or choose another --port.',
    cause,
  });
}
