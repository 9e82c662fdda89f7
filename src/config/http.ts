import { invalidArgument, quote } from '../errors.ts';
import { secureUrl } from '../net/secure-url.ts';
import type { HttpSettings } from '../server/http/index.ts';
import { defaultLimits, type LimitSettings } from '../server/http/limits.ts';
import {
  bare,
  decimal,
  oneOf,
  onOff,
  readSettings,
  type Setting,
  type Sources,
  setting,
  text,
  texts,
  whole,
} from './setting.ts';

const most = 1_000_000_000;

const limit = (name: keyof LimitSettings, help: string): Setting<number> =>
  setting({ key: `http.limits.${name}`, kind: whole(1, most), otherwise: defaultLimits[name], help });

/** What `http` takes, `doctor`, which checks it, and `init`, which writes it down. */
export const httpGroup = {
  title: 'Options of http',
  commands: ['http', 'doctor', 'init'],
  settings: {
    host: setting({
      flag: 'host',
      value: 'HOST',
      env: 'AGENT_SESSIONS_HOST',
      key: 'http.host',
      kind: text,
      otherwise: '127.0.0.1',
      help: 'address to listen on; an address other than loopback needs authentication',
    }),
    port: setting({
      flag: 'port',
      value: 'PORT',
      env: 'AGENT_SESSIONS_PORT',
      key: 'http.port',
      kind: whole(0, 65_535),
      otherwise: 8080,
      help: 'port to listen on; 0: any free port',
    }),
    path: setting({
      flag: 'path',
      value: 'PATH',
      env: 'AGENT_SESSIONS_PATH',
      key: 'http.path',
      kind: text,
      otherwise: '/mcp',
      help: 'path of the endpoint',
      check: (where, path) => {
        if (!/^\/[\w./-]*$/.test(path)) throw wrong(where, path, 'Use a path such as /mcp.');
      },
    }),
    publicUrl: setting({
      flag: 'public-url',
      value: 'URL',
      env: 'AGENT_SESSIONS_PUBLIC_URL',
      key: 'http.publicUrl',
      kind: text,
      help: 'address that clients use when the server is behind a proxy',
      check: secureUrl,
    }),
    tokens: setting({
      flag: 'auth-tokens',
      value: 'FILE',
      env: 'AGENT_SESSIONS_AUTH_TOKENS',
      key: 'http.authTokens',
      kind: text,
      help: 'a JSON list of {sha256, user, scopes}, or the JSON itself; add-token makes an entry',
    }),
    issuer: setting({
      flag: 'oauth-issuer',
      value: 'URL',
      env: 'AGENT_SESSIONS_OAUTH_ISSUER',
      key: 'http.oauthIssuer',
      kind: text,
      help: 'accept JWTs of this issuer',
      check: secureUrl,
    }),
    audience: setting({
      flag: 'oauth-audience',
      value: 'NAME[,NAME]',
      env: 'AGENT_SESSIONS_OAUTH_AUDIENCE',
      key: 'http.oauthAudience',
      kind: texts,
      help: 'audience that the JWTs must name; default: the public URL',
    }),
    jwksUrl: setting({
      flag: 'oauth-jwks-url',
      value: 'URL',
      env: 'AGENT_SESSIONS_OAUTH_JWKS_URL',
      key: 'http.oauthJwksUrl',
      kind: text,
      help: 'address of the issuer’s keys; default: jwks_uri of its metadata',
      check: secureUrl,
    }),
    userClaim: setting({
      flag: 'oauth-user-claim',
      value: 'NAME',
      env: 'AGENT_SESSIONS_OAUTH_USER_CLAIM',
      key: 'http.oauthUserClaim',
      kind: text,
      otherwise: 'sub',
      help: 'claim of the JWTs that names the user',
    }),
    clockSkewSeconds: setting({
      key: 'http.oauthClockSkewSeconds',
      kind: decimal(0, 300),
      otherwise: 30,
      help: 'seconds by which the issuer’s clock may differ',
    }),
    allowedHosts: setting<readonly string[]>({
      flag: 'allowed-hosts',
      value: 'NAME[,NAME]',
      env: 'AGENT_SESSIONS_ALLOWED_HOSTS',
      key: 'http.allowedHosts',
      kind: texts,
      otherwise: [],
      help: 'further host names to accept in the Host header',
    }),
    allowedOrigins: setting<readonly string[]>({
      flag: 'allowed-origins',
      value: 'URL[,URL]',
      env: 'AGENT_SESSIONS_ALLOWED_ORIGINS',
      key: 'http.allowedOrigins',
      kind: texts,
      otherwise: [],
      help: 'origins of web pages that may call',
      check: (where, origins) => {
        const bad = origins.find((origin) => URL.parse(origin)?.origin !== origin);
        if (bad !== undefined)
          throw wrong(where, bad, 'Use origins such as https://app.example, without a path.');
      },
    }),
    requestsPerSecond: setting({
      flag: 'rate-limit',
      value: 'N',
      env: 'AGENT_SESSIONS_RATE_LIMIT',
      key: 'http.limits.requestsPerSecond',
      kind: decimal(0, 1_000_000),
      otherwise: defaultLimits.requestsPerSecond,
      help: 'requests per second of one user; 0: no limit',
    }),
    appState: setting<'admins' | 'everyone'>({
      flag: 'app-state',
      value: 'admins|everyone',
      env: 'AGENT_SESSIONS_APP_STATE',
      key: 'http.appState',
      kind: oneOf('admins', 'everyone'),
      otherwise: 'admins',
      help: 'who can set state under app: keys, which all users of an app share',
    }),
    legacy: setting<'sessions' | 'stateless'>({
      flag: 'legacy',
      value: 'sessions|stateless',
      env: 'AGENT_SESSIONS_LEGACY',
      key: 'http.legacy',
      kind: oneOf('sessions', 'stateless'),
      otherwise: 'sessions',
      help: 'clients of MCP 2025-11-25 and before: with protocol sessions, or stateless',
    }),
    metrics: setting({
      flag: 'metrics',
      env: 'AGENT_SESSIONS_METRICS',
      key: 'http.metrics',
      kind: bare,
      otherwise: false,
      help: 'serve metrics for Prometheus at /metrics',
    }),
    a2a: setting({
      flag: 'a2a',
      env: 'AGENT_SESSIONS_A2A',
      key: 'http.a2a',
      kind: bare,
      otherwise: false,
      help: 'let remote agents take part by A2A: a card and an endpoint at /a2a/APP for each app with an agent',
    }),
    accessLog: setting({
      flag: 'access-log',
      value: 'on|off',
      env: 'AGENT_SESSIONS_ACCESS_LOG',
      key: 'http.accessLog',
      kind: onOff,
      otherwise: true,
      help: 'write a line to stderr for every request',
    }),
    sessionIdleSeconds: setting({
      key: 'http.sessionIdleSeconds',
      kind: whole(1, most),
      otherwise: 1800,
      help: 'seconds after which an unused protocol session ends',
    }),
    totalSessions: setting({
      key: 'http.totalSessions',
      kind: whole(1, most),
      otherwise: 2000,
      help: 'most protocol sessions of all users together',
    }),
    connections: setting({
      key: 'http.connections',
      kind: whole(1, most),
      otherwise: 4096,
      help: 'most TCP connections of all clients together',
    }),
    burst: setting({
      key: 'http.limits.burst',
      kind: whole(1, most),
      help: 'requests of one user that may come at once; default: five times the rate limit',
    }),
    requests: limit('requests', 'most requests of one user at a time'),
    calls: limit('calls', 'most tool calls of one user at a time'),
    streams: limit('streams', 'most open streams of one user'),
    sessions: limit('sessions', 'most protocol sessions of one user'),
    subscriptions: limit('subscriptions', 'most resources that one user subscribes to'),
    bodyBytes: limit('bodyBytes', 'most bytes of one request'),
    bodiesBytes: limit('bodiesBytes', 'most bytes of the requests of one user at a time'),
  },
};

/** @throws SessionError INVALID_ARGUMENT */
export function readHttp(sources: Sources): HttpSettings {
  const given = readSettings(httpGroup.settings, sources);
  const { requestsPerSecond, burst, requests, calls, streams, sessions, subscriptions } = given;
  const { issuer, audience, publicUrl, jwksUrl, userClaim, clockSkewSeconds } = given;
  const { host, port, path, allowedHosts, allowedOrigins, tokens, legacy, metrics, a2a, accessLog } = given;
  return {
    ...{ host, port, path, publicUrl, allowedHosts, allowedOrigins, tokens, legacy, metrics, a2a, accessLog },
    oauth:
      issuer === undefined
        ? undefined
        : {
            ...{ issuer, jwksUrl, userClaim, clockSkewSeconds },
            audience: audienceOf(audience ?? [], publicUrl),
          },
    sessions: { idleSeconds: given.sessionIdleSeconds, most: given.totalSessions },
    connections: given.connections,
    limits: {
      ...{ requestsPerSecond, requests, calls, streams, sessions, subscriptions },
      burst: burst ?? Math.max(1, 5 * requestsPerSecond),
      bodyBytes: given.bodyBytes,
      bodiesBytes: given.bodiesBytes,
    },
  };
}

function audienceOf(named: readonly string[], publicUrl: string | undefined): readonly string[] {
  if (named.length > 0) return named;
  if (publicUrl !== undefined) return [publicUrl];
  throw invalidArgument(
    '--oauth-issuer needs an audience: tokens for other services must not be accepted.',
    'Give --oauth-audience, or --public-url when that is what tokens name.',
  );
}

const wrong = (where: string, value: string, hint: string) =>
  invalidArgument(`${where} cannot be ${quote(value)}.`, hint);
