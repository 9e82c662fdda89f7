import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { SessionError } from '../../errors.ts';
import { logWith } from '../../log.ts';
import { createProtocol, type ProtocolOptions } from './endpoint.ts';
import { describeExchange, openExchange, refuse } from './exchange.ts';
import { createGate, type GateOptions } from './gate.ts';

export interface TransportOptions extends GateOptions, ProtocolOptions {
  settings: GateOptions['settings'] &
    ProtocolOptions['settings'] & {
      port: number;
      /** TCP connections of all clients. */
      connections: number;
      /** A line in the log for every request. */
      accessLog: boolean;
    };
  metadata?: { url: string; document: object } | undefined;
  /** Milliseconds between two looks at idle sessions, and at whether who holds a stream still may. */
  roundMs?: number | undefined;
}

export interface HttpServer {
  /** Of the endpoint, as a client on this machine writes it. */
  url: string;
  /** Resolves when the server has ended. */
  closed: Promise<void>;
  /** Stops listening, ends streams, lets calls under way finish for so many milliseconds, and ends. */
  close(graceMs?: number): Promise<void>;
}

const defaultRoundMs = 15_000;
/** Below the 30 s after which a container's end is forced. */
const defaultGraceMs = 10_000;

/** Serves both eras of the protocol over plain HTTP. @throws SessionError when it cannot listen */
export async function startTransport(options: TransportOptions): Promise<HttpServer> {
  const { settings, log, metrics } = options;
  let draining = false;
  const gate = createGate({
    ...options,
    ready: () => (draining ? Promise.reject(new Error('The server is ending.')) : options.ready()),
  });
  const protocol = createProtocol(options);

  async function handle(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const began = performance.now();
    const exchange = openExchange(req, res);
    res.once('close', () => {
      const ms = performance.now() - began;
      metrics?.request(req.method ?? '', res.statusCode, ms / 1000);
      if (settings.accessLog) log.info('request', describeExchange(exchange, ms));
    });
    try {
      const principal = await gate(exchange);
      if (principal === undefined) return;
      if (draining) refuse(exchange, 503, 'The server is ending.', { retryAfter: 1 });
      else await protocol.serve(exchange, principal);
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
  // Longer than clients keep theirs, so that none sends on a connection that is just being closed.
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
  const round = setInterval(() => void protocol.round(), options.roundMs ?? defaultRoundMs);
  round.unref();

  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : settings.port;
  return {
    url: `http://${reachable(settings.host)}:${port}${settings.path}`,
    closed,
    async close(graceMs = defaultGraceMs) {
      if (draining) return closed;
      draining = true;
      clearInterval(round);
      const silent = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeIdleConnections();
      await protocol.close(graceMs);
      server.closeAllConnections();
      await silent;
      ended();
    },
  };
}

/** How a client on this machine writes where the server listens. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}

function cannotListen({ host, port }: { host: string; port: number }, cause: Error): SessionError {
  return new SessionError('FAILED_PRECONDITION', `The server cannot listen on ${host}, port ${port}.`, {
    hint: 'Check that no other program does, or choose another --port.',
    cause,
  });
}
