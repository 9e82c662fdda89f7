import { isLoopback } from '../../net/loopback.ts';

export interface GuardSettings {
  /** The host that the server listens on. */
  host: string;
  /** Other names by which clients may call the server, with or without a port. */
  allowedHosts: readonly string[];
  /** Origins of web pages that may call the server, such as https://app.example. */
  allowedOrigins: readonly string[];
  /** The address that clients use, if it differs from the one that the server listens on. */
  publicUrl?: string | undefined;
}

export interface Guard {
  /** Whether the Host header names this server. Another name can come from a page that uses DNS rebinding. */
  isOurHost(host: string | undefined): boolean;
  /**
   * What an Origin may do. `cors`: an allowed page, which may call and read answers. `same`: no Origin, this server's own
   * page, or a page of this machine, which may call but gets no headers to read answers. `no`: every other page, also the
   * origin `null`. The Host has been checked before.
   */
  originOf(origin: string | undefined, host: string | undefined): 'cors' | 'same' | 'no';
}

const mostSeenHosts = 100;

export function createGuard(settings: GuardSettings): Guard {
  const local = isLoopback(settings.host);
  const own = settings.publicUrl === undefined ? undefined : new URL(settings.publicUrl);
  const hosts = new Set([
    ...settings.allowedHosts.map((host) => host.toLowerCase()),
    ...(own === undefined ? [] : [own.host, own.hostname]),
  ]);
  // A server that is not on loopback requires tokens, which a rebinding page does not have, and may have any name.
  const anyHost = !local && hosts.size === 0;
  /** Verdicts on the Host headers of late: most requests bring one of a few. */
  const seenHosts = new Map<string, boolean>();
  const origins = new Set([...settings.allowedOrigins, ...(own === undefined ? [] : [own.origin])]);
  function names(host: string): boolean {
    const url = /[/?#@\\]/.test(host) ? null : URL.parse(`http://${host}`);
    if (url === null) return false;
    return anyHost || (local && isLoopback(url.hostname)) || hosts.has(url.host) || hosts.has(url.hostname);
  }

  return {
    isOurHost(host) {
      if (host === undefined) return false;
      const verdict = seenHosts.get(host) ?? names(host);
      if (seenHosts.size >= mostSeenHosts) seenHosts.clear();
      seenHosts.set(host, verdict);
      return verdict;
    },
    originOf(origin, host) {
      if (origin === undefined) return 'same';
      if (origins.has(origin)) return 'cors';
      const url = URL.parse(origin);
      if (url === null || !/^https?:$/.test(url.protocol)) return 'no';
      const isOwnPage = url.host === host?.toLowerCase();
      return isOwnPage || (local && isLoopback(url.hostname)) ? 'same' : 'no';
    },
  };
}

const methods = 'GET, POST, DELETE';
const requestHeaders = [
  'authorization',
  'content-type',
  'accept',
  'mcp-protocol-version',
  'mcp-method',
  'mcp-name',
  'mcp-session-id',
  'last-event-id',
  'a2a-version',
  'a2a-extensions',
  'x-request-id',
];
const responseHeaders = 'mcp-session-id, mcp-protocol-version, www-authenticate, retry-after, x-request-id';

/** The headers that answer a browser's preflight request. */
export function preflightHeaders(origin: string, asked: string | undefined): Record<string, string> {
  // Clients of 2026 send some arguments as headers. "*" does not allow them for requests with credentials.
  const params = (asked ?? '')
    .split(',')
    .map((name) => name.trim().toLowerCase())
    .filter((name) => /^mcp-param-[\w-]{1,64}$/.test(name))
    .slice(0, 20);
  return {
    ...corsHeaders(origin),
    'access-control-allow-methods': methods,
    'access-control-allow-headers': [...requestHeaders, ...params].join(', '),
    'access-control-max-age': '7200',
  };
}

/** The headers that let a page of this origin read an answer. */
export function corsHeaders(origin: string): Record<string, string> {
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': responseHeaders,
    vary: 'Origin',
  };
}
