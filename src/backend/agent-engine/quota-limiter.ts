import { setTimeout as sleep } from 'node:timers/promises';
import { SessionError } from '../../errors.ts';
import type { Endpoint } from './paths.ts';

/** The groups that Google counts requests by, per project, region and minute. */
export type QuotaGroup =
  | 'engineWrite'
  | 'query'
  | 'sessionWrite'
  | 'append'
  | 'sessionRead'
  | 'memoryWrite'
  | 'memoryRead';

export type Quotas = { readonly [G in QuotaGroup]?: number | undefined };

/**
 * Requests a minute (docs/protocols/agent-engine.md, Quotas). What is not listed there has no number here
 * and is not held.
 */
const regional: Quotas = {
  engineWrite: 10,
  query: 90,
  sessionWrite: 100,
  append: 300,
  sessionRead: 10_000,
  memoryWrite: 100,
  memoryRead: 300,
};
const multiRegion: Quotas = { ...regional, sessionRead: undefined };
const express: Quotas = {
  engineWrite: 10,
  query: 10,
  sessionWrite: 10,
  append: 30,
  memoryWrite: 10,
  memoryRead: 10,
};

export function quotasOf(endpoint: Endpoint): Quotas {
  if (endpoint.express) return express;
  return /^(global|us|eu)$/.test(endpoint.location) ? multiRegion : regional;
}

/** Which quota a request counts against; undefined for what has none, such as polling an operation. */
export function quotaGroupOf(method: string, path: string): QuotaGroup | undefined {
  const [bare = ''] = path.split('?');
  if (/\/operations\/[^/]+$/.test(bare)) return undefined;
  if (/:(query|streamQuery)$/.test(bare)) return 'query';
  if (bare.endsWith(':appendEvent')) return 'append';
  if (/\/memories(\/[^/]+)?(:\w+)?$/.test(bare))
    return method === 'GET' || bare.endsWith(':retrieve') ? 'memoryRead' : 'memoryWrite';
  if (/\/sessions(\/[^/]+(\/events)?)?$/.test(bare)) return method === 'GET' ? 'sessionRead' : 'sessionWrite';
  return method === 'GET' ? undefined : 'engineWrite';
}

export interface Clock {
  now(): number;
  wait(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

const realClock: Clock = {
  now: Date.now,
  wait: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}),
};

const minute = 60_000;

/**
 * Lets at most so many requests of a group pass in any minute, in the order in which they came. One that
 * would wait longer than `maxWaitMs` is refused at once, so that a caller hears of it in time.
 */
export function quotaLimiter(quotas: Quotas, maxWaitMs = 20_000, clock: Clock = realClock) {
  /** Admissions of the last minute, oldest first; some may lie ahead, held by requests that wait. */
  const admitted = new Map<QuotaGroup, number[]>();
  return async (method: string, path: string, signal: AbortSignal | undefined): Promise<void> => {
    const group = quotaGroupOf(method, path);
    const most = group === undefined ? undefined : quotas[group];
    if (group === undefined || most === undefined) return;
    const now = clock.now();
    const times = admitted.get(group) ?? [];
    admitted.set(group, times);
    const gone = times.findIndex((time) => time > now - minute);
    times.splice(0, gone < 0 ? times.length : gone);
    const wait = times.length < most ? 0 : (times[times.length - most] ?? 0) + minute - now;
    if (wait > maxWaitMs)
      throw new SessionError('RESOURCE_EXHAUSTED', 'This minute’s quota of Agent Engine is used up.', {
        hint: 'Wait and call again, or ask the operator for a higher quota.',
        retryAfter: Math.ceil(wait / 1000),
      });
    times.push(now + wait);
    if (wait > 0)
      await clock.wait(wait, signal).catch((cause) => {
        throw new SessionError('CANCELLED', 'The call was cancelled.', {
          hint: 'Call again if it is still wanted.',
          cause,
        });
      });
  };
}
