import { setTimeout as sleep } from 'node:timers/promises';
import { SessionError } from '../../errors.ts';
import { currentDeadline } from '../../net/deadline.ts';
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
 * Requests a minute (docs/protocols/agent-engine.md, "Quotas"). Requests of other groups are not limited here.
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

/** The quota that a request counts against; undefined for requests without one, such as polling an operation. */
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

/** For tests: a clock that does not wait. */
export interface Clock {
  now(): number;
  wait(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

const realClock: Clock = {
  now: Date.now,
  wait: (ms, signal) => sleep(ms, undefined, signal ? { signal } : {}),
};

const minute = 60_000;

export interface QuotaLimiter {
  /**
   * Waits until a request's group has room in the last minute; requests pass in the order in which they came.
   * @throws SessionError RESOURCE_EXHAUSTED at once when the wait would be longer than a caller stays
   */
  admit(method: string, path: string, signal: AbortSignal | undefined): Promise<void>;
  /** Waits until the group has room, for as long as it takes. For long work such as a copy. */
  waitForRoom(group: QuotaGroup, signal: AbortSignal | undefined): Promise<void>;
  /** Waits before such work tries again a request that the service itself refused for quota. */
  rest(ms: number, signal: AbortSignal | undefined): Promise<void>;
}

/**
 * Limits requests in every period of sixty seconds, since nobody knows when Google's minutes begin. It is our own
 * code because the token buckets of libraries let up to twice the number pass within a minute.
 */
export function quotaLimiter(quotas: Quotas, maxWaitMs = 20_000, clock: Clock = realClock): QuotaLimiter {
  /** Times of admissions, oldest first: of the last minute, and in the future for requests that wait. */
  const admitted = new Map<QuotaGroup, number[]>();

  async function pass(group: QuotaGroup, mostMs: number, signal: AbortSignal | undefined): Promise<void> {
    const most = quotas[group];
    if (most === undefined) return;
    const now = clock.now();
    const times = admitted.get(group) ?? [];
    admitted.set(group, times);
    const gone = times.findIndex((time) => time > now - minute);
    times.splice(0, gone < 0 ? times.length : gone);
    const wait = times.length < most ? 0 : (times[times.length - most] ?? 0) + minute - now;
    if (wait > mostMs)
      throw new SessionError('RESOURCE_EXHAUSTED', 'This minute’s quota of Agent Engine is used up.', {
        hint: 'Wait and call again, or ask the operator for a higher quota.',
        retryAfter: Math.ceil(wait / 1000),
      });
    const time = now + wait;
    times.push(time);
    if (wait === 0) return;
    try {
      await clock.wait(wait, signal);
    } catch (cause) {
      // The request will not be sent, so its place is free for others.
      const place = times.lastIndexOf(time);
      if (place >= 0) times.splice(place, 1);
      throw endOf(signal, cause);
    }
  }

  return {
    async admit(method, path, signal) {
      const group = quotaGroupOf(method, path);
      const left = currentDeadline()?.left() ?? Number.POSITIVE_INFINITY;
      if (group !== undefined) await pass(group, Math.min(maxWaitMs, left), signal);
    },
    waitForRoom: (group, signal) => pass(group, Number.POSITIVE_INFINITY, signal),
    rest: (ms, signal) =>
      clock.wait(ms, signal).catch((cause: unknown) => {
        throw endOf(signal, cause);
      }),
  };
}

/** The error of a wait that a signal ended. A deadline's signal carries its error; others mean cancellation. */
function endOf(signal: AbortSignal | undefined, cause: unknown): SessionError {
  if (signal?.reason instanceof SessionError) return signal.reason;
  return new SessionError('CANCELLED', 'The call was cancelled.', {
    hint: 'Call again if it is still wanted.',
    cause,
  });
}
