import type { ParseArgsConfig } from 'node:util';
import * as z from 'zod';
import { invalidArgument, quote } from '../errors.ts';
import { secureUrl } from '../net/secure-url.ts';
import type { HttpSettings } from '../server/http/index.ts';
import { defaultLimits } from '../server/http/limits.ts';

/** The flags of `http`; each has the environment variable of the same name, and a member of `http` in the file. */
export const httpFlags = {
  host: { type: 'string' },
  port: { type: 'string' },
  path: { type: 'string' },
  'public-url': { type: 'string' },
  'auth-tokens': { type: 'string' },
  'oauth-issuer': { type: 'string' },
  'oauth-audience': { type: 'string' },
  'oauth-jwks-url': { type: 'string' },
  'oauth-user-claim': { type: 'string' },
  'allowed-hosts': { type: 'string' },
  'allowed-origins': { type: 'string' },
  'rate-limit': { type: 'string' },
  legacy: { type: 'string' },
  metrics: { type: 'boolean' },
  'access-log': { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

const count = z.int().min(1);

/** `http` of the file of `--config`. */
export const httpFileSchema = z.strictObject({
  host: z.string().optional(),
  port: z.int().optional(),
  path: z.string().optional(),
  publicUrl: z.string().optional(),
  authTokens: z.string().optional(),
  oauthIssuer: z.string().optional(),
  oauthAudience: z.array(z.string()).optional(),
  oauthJwksUrl: z.string().optional(),
  oauthUserClaim: z.string().optional(),
  oauthClockSkewSeconds: z.number().min(0).max(300).optional(),
  allowedHosts: z.array(z.string()).optional(),
  allowedOrigins: z.array(z.string()).optional(),
  legacy: z.string().optional(),
  metrics: z.boolean().optional(),
  accessLog: z.boolean().optional(),
  sessionIdleSeconds: count.optional(),
  totalSessions: count.optional(),
  connections: count.optional(),
  limits: z
    .strictObject({
      requestsPerSecond: z.number().min(0).optional(),
      burst: count.optional(),
      requests: count.optional(),
      calls: count.optional(),
      streams: count.optional(),
      sessions: count.optional(),
      subscriptions: count.optional(),
      bodyBytes: count.optional(),
      bodiesBytes: count.optional(),
    })
    .optional(),
});

export const httpUsage = `Options of http
  --host HOST                    AGENT_SESSIONS_HOST         127.0.0.1; others only with authentication
  --port PORT                    AGENT_SESSIONS_PORT         8080
  --path PATH                    AGENT_SESSIONS_PATH         /mcp
  --public-url URL               AGENT_SESSIONS_PUBLIC_URL   the address that clients use, behind a proxy
  --auth-tokens FILE             AGENT_SESSIONS_AUTH_TOKENS  JSON list of {sha256, user, scopes}, or the JSON
  --oauth-issuer URL             AGENT_SESSIONS_OAUTH_ISSUER accept JWTs of this issuer
  --oauth-audience NAME[,NAME]   AGENT_SESSIONS_OAUTH_AUDIENCE  the public URL
  --oauth-jwks-url URL           AGENT_SESSIONS_OAUTH_JWKS_URL  from the issuer's metadata
  --oauth-user-claim NAME        AGENT_SESSIONS_OAUTH_USER_CLAIM  sub
  --allowed-hosts NAME[,NAME]    AGENT_SESSIONS_ALLOWED_HOSTS     further names in the Host header
  --allowed-origins URL[,URL]    AGENT_SESSIONS_ALLOWED_ORIGINS   web pages that may call
  --rate-limit N                 AGENT_SESSIONS_RATE_LIMIT   200 requests a second and user; 0: no limit
  --legacy sessions|stateless    AGENT_SESSIONS_LEGACY       sessions, for clients of 2025
  --metrics                      AGENT_SESSIONS_METRICS      off; Prometheus, at /metrics
  --access-log on|off            AGENT_SESSIONS_ACCESS_LOG   on; a line on stderr for every request
`;

/** Where a setting comes from: flag, environment, file, in this order. */
export interface HttpSources {
  flag(name: keyof typeof httpFlags): string | boolean | undefined;
  env(name: string): string | undefined;
  file: z.infer<typeof httpFileSchema>;
}

/** @throws SessionError INVALID_ARGUMENT */
export function readHttp({ flag, env, file }: HttpSources): HttpSettings {
  const envName = (name: string) => name.toUpperCase().replaceAll('-', '_');
  const text = (name: keyof typeof httpFlags, inFile: string | undefined): string | undefined => {
    const given = flag(name);
    return (typeof given === 'string' ? given : undefined) ?? env(envName(name)) ?? inFile;
  };
  const list = (name: keyof typeof httpFlags, inFile: readonly string[] | undefined): readonly string[] =>
    text(name, undefined)
      ?.split(',')
      .map((item) => item.trim()) ??
    inFile ??
    [];
  const onOff = (name: keyof typeof httpFlags, inFile: boolean | undefined, otherwise: boolean): boolean => {
    const given = flag(name);
    if (typeof given === 'boolean') return given;
    const value = given ?? env(envName(name));
    if (value === undefined) return inFile ?? otherwise;
    if (/^(1|true|yes|on)$/i.test(value)) return true;
    if (/^(0|false|no|off)$/i.test(value)) return false;
    throw wrong(`--${name}`, value, 'Use on or off.');
  };
  const number = (
    name: keyof typeof httpFlags,
    most: number,
    inFile: number | undefined,
    otherwise: number,
  ) => {
    const given = text(name, inFile === undefined ? undefined : String(inFile)) ?? String(otherwise);
    if (!/^\d{1,9}$/.test(given) || Number(given) > most)
      throw wrong(`--${name}`, given, `Use a number from 0 to ${most}.`);
    return Number(given);
  };

  const path = text('path', file.path) ?? '/mcp';
  if (!/^\/[\w./-]*$/.test(path)) throw wrong('--path', path, 'Use a path such as /mcp.');
  const legacy = text('legacy', file.legacy) ?? 'sessions';
  if (legacy !== 'sessions' && legacy !== 'stateless')
    throw wrong('--legacy', legacy, 'Use sessions or stateless.');
  const publicUrl = text('public-url', file.publicUrl);
  if (publicUrl !== undefined) secureUrl('--public-url', publicUrl);
  const origins = list('allowed-origins', file.allowedOrigins);
  for (const origin of origins)
    if (URL.parse(origin)?.origin !== origin)
      throw wrong('--allowed-origins', origin, 'Use origins such as https://app.example, without a path.');
  const limits = { ...defaultLimits, ...dropUndefined(file.limits ?? {}) };
  const requestsPerSecond = number(
    'rate-limit',
    1e6,
    file.limits?.requestsPerSecond,
    limits.requestsPerSecond,
  );
  return {
    host: text('host', file.host) ?? '127.0.0.1',
    port: number('port', 65_535, file.port, 8080),
    path,
    publicUrl,
    allowedHosts: list('allowed-hosts', file.allowedHosts),
    allowedOrigins: origins,
    tokens: text('auth-tokens', file.authTokens),
    oauth: readOAuth(),
    legacy,
    metrics: onOff('metrics', file.metrics, false),
    accessLog: onOff('access-log', file.accessLog, true),
    sessions: { idleSeconds: file.sessionIdleSeconds ?? 1800, most: file.totalSessions ?? 2000 },
    connections: file.connections ?? 4096,
    limits: { ...limits, requestsPerSecond, burst: file.limits?.burst ?? Math.max(1, 5 * requestsPerSecond) },
  };

  function readOAuth(): HttpSettings['oauth'] {
    const issuer = text('oauth-issuer', file.oauthIssuer);
    if (issuer === undefined) return undefined;
    const named = list('oauth-audience', file.oauthAudience);
    const audience = named.length === 0 && publicUrl !== undefined ? [publicUrl] : named;
    if (audience.length === 0)
      throw invalidArgument(
        '--oauth-issuer needs an audience: a token for anybody else must not pass here.',
        'Give --oauth-audience, or --public-url when that is what tokens name.',
      );
    const jwksUrl = text('oauth-jwks-url', file.oauthJwksUrl);
    return {
      issuer: secureUrl('--oauth-issuer', issuer),
      audience,
      jwksUrl: jwksUrl === undefined ? undefined : secureUrl('--oauth-jwks-url', jwksUrl),
      userClaim: text('oauth-user-claim', file.oauthUserClaim) ?? 'sub',
      clockSkewSeconds: file.oauthClockSkewSeconds ?? 30,
    };
  }
}

const wrong = (what: string, value: string, hint: string) =>
  invalidArgument(`${what} cannot be ${quote(value)}.`, hint);

const dropUndefined = <T extends object>(value: T) =>
  Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as {
    [K in keyof T]: Exclude<T[K], undefined>;
  };
