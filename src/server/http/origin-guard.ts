import { isLoopback } from '../../net/loopback.ts';

export interface GuardSettings {
  /** Where the server listens. */
  host: string;
  /** Names by which it may be called besides; with or without a port. */
  allowedHosts: readonly string[];
  /** Origins of web pages that may call it, such as https://app.example. */
  allowedOrigins: readonly string[];
  /** The address that clients use, if it is not the one listened on. */
  publicUrl?: string | undefined;
}

export interface Guard {
  /** Whether the Host header names this server: another name is a page that rebinds its own (DNS rebinding). */
  isOurHost(host: string | undefined): boolean;
  /**
   * What the Origin header allows: `cors` a page that may read our answers; `same` none, or a page of this
   * machine, which may call but gets no leave to read; `no` anybody else's, `null` included.
   */
  originOf(origin: string | undefined): 'cors' | 'same' | 'no';
}

export function createGuard(settings: GuardSettings): Guard {
  const local = isLoopback(settings.host);
  const own = settings.publicUrl === undefined ? undefined : new URL(settings.publicUrl);
  const hosts = new Set([
    ...settings.allowedHosts.map((host) => host.toLowerCase()),
    ...(own === undefined ? [] : [own.host, own.hostname]),
  ]);
  // Off loopback every call needs a token, which a rebinding page has not; the names may be unknown to us.
  const anyHost = !local && hosts.size === 0;
  const origins = new Set([...settings.allowedOrigins, ...(own === undefined ? [] : [own.origin])]);
  return {
    isOurHost(host) {
      const url = host === undefined || /[/?#@\\]/.test(host) ? null : URL.parse(`http://${host}`);
      if (url === null) return false;
      return anyHost || (local && isLoopback(url.hostname)) || hosts.has(url.host) || hosts.has(url.hostname);
    },
    originOf(origin) {
      if (origin === undefined) return 'same';
      if (origins.has(origin)) return 'cors';
      const url = URL.parse(origin);
      const isPageHere = url !== null && /^https?:$/.test(url.protocol) && isLoopback(url.hostname);
      return local && isPageHere ? 'same' : 'no';
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
  'x-request-id',
];
const responseHeaders = 'mcp-session-id, mcp-protocol-version, www-authenticate, retry-after, x-request-id';

/** The answer to a browser that asks whether a page may call. */
export function preflightHeaders(origin: string, asked: string | undefined): Record<string, string> {
  // Arguments that travel as headers have names of their own, which a wildcard does not cover.
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

/** Lets the page of this origin read an answer. */
export function corsHeaders(origin: string): Record<string, string> {
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': responseHeaders,
    vary: 'Origin',
  };
}
