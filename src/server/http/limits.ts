/**
 * How much one user may use at the same time, and how fast, counted per process. It is our own code because packages for
 * rate limits count requests by address, and this counts calls, streams, sessions and bytes by user, and frees them.
 */
export interface LimitSettings {
  /** Requests a second on average; 0: no limit. */
  requestsPerSecond: number;
  /** Requests that may come at once after a pause. */
  burst: number;
  /** Requests under way. */
  requests: number;
  /** Tool calls under way, also those whose caller has left. */
  calls: number;
  /** Open streams of notifications. */
  streams: number;
  /** Protocol sessions of 2025. */
  sessions: number;
  /** Subscribed resource addresses. */
  subscriptions: number;
  /** Bytes of one request body. */
  bodyBytes: number;
  /** Bytes of all request bodies that are being read. */
  bodiesBytes: number;
}

export const defaultLimits: LimitSettings = {
  requestsPerSecond: 200,
  burst: 1000,
  requests: 256,
  calls: 64,
  streams: 32,
  sessions: 64,
  subscriptions: 200,
  bodyBytes: 8 * 1024 * 1024,
  bodiesBytes: 64 * 1024 * 1024,
};

export type Counted = 'requests' | 'calls' | 'streams' | 'sessions' | 'subscriptions' | 'bodiesBytes';

/** Seconds after which a refused caller may try again. */
export const retryAfter: Record<Counted, number> = {
  requests: 1,
  calls: 1,
  bodiesBytes: 1,
  streams: 30,
  subscriptions: 30,
  sessions: 60,
};

export interface Limits {
  readonly settings: LimitSettings;
  /** Counts requests against the user's rate. Returns 0, or the seconds after which they would be allowed. */
  spend(userId: string, requests: number): number;
  /** Reserves an amount. Returns a function that frees it, or undefined when the limit is reached. */
  take(userId: string, what: Counted, amount?: number): (() => void) | undefined;
  /** Reserves a call. When the limit is reached, ends the user's oldest abandoned call first. */
  takeCall(userId: string): Promise<(() => void) | undefined>;
  /** Notes a call whose caller can no longer get its answer, with the way to end it. Returns a function that forgets it. */
  abandonCall(userId: string, end: () => void): () => void;
  /** The amount that all users together have reserved. */
  total(what: Counted): number;
}

interface Account {
  saved: number;
  at: number;
  used: Record<Counted, number>;
  /** Functions that end the abandoned calls, the oldest first. */
  abandoned: Set<() => void>;
  /** Called when a call ends and frees its place. */
  waiting: Set<() => void>;
}

/** Milliseconds that an abandoned call has to end when its place is needed. */
const endingMs = 1000;

/** The number of accounts above which idle ones are dropped. */
const manyAccounts = 1000;

export function createLimits(settings: LimitSettings, now: () => number = () => performance.now()): Limits {
  const accounts = new Map<string, Account>();
  const totals: Account['used'] = nothing();
  const { requestsPerSecond: rate, burst } = settings;
  let many = manyAccounts;

  function account(userId: string): Account {
    const known = accounts.get(userId);
    if (known !== undefined) return known;
    if (accounts.size >= many) forget();
    const fresh: Account = {
      saved: burst,
      at: now(),
      used: nothing(),
      abandoned: new Set(),
      waiting: new Set(),
    };
    accounts.set(userId, fresh);
    return fresh;
  }

  function refill(of: Account): void {
    const at = now();
    of.saved = Math.min(burst, of.saved + ((at - of.at) / 1000) * rate);
    of.at = at;
  }

  /** Drops accounts in their initial state: the next request makes them again. */
  function forget(): void {
    for (const [userId, of] of accounts) {
      refill(of);
      if (of.saved >= burst && Object.values(of.used).every((used) => used === 0)) accounts.delete(userId);
    }
    many = Math.max(manyAccounts, 2 * accounts.size);
  }

  function take(userId: string, what: Counted, amount = 1): (() => void) | undefined {
    const { used, waiting } = account(userId);
    if (used[what] + amount > settings[what]) return undefined;
    used[what] += amount;
    totals[what] += amount;
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      used[what] -= amount;
      totals[what] -= amount;
      const [next] = waiting;
      if (what === 'calls') next?.();
    };
  }

  return {
    settings,
    take,
    spend(userId, requests) {
      if (rate === 0 || requests <= 0) return 0;
      const of = account(userId);
      refill(of);
      const missing = Math.min(requests, burst) - of.saved;
      if (missing > 0) return missing / rate;
      of.saved -= requests;
      return 0;
    },
    takeCall(userId) {
      const release = take(userId, 'calls');
      const { abandoned, waiting } = account(userId);
      const [endOldest] = abandoned;
      if (release !== undefined || endOldest === undefined) return Promise.resolve(release);
      abandoned.delete(endOldest);
      return new Promise((resolve) => {
        const settle = () => {
          clearTimeout(timer);
          waiting.delete(settle);
          resolve(take(userId, 'calls'));
        };
        const timer = setTimeout(settle, endingMs);
        waiting.add(settle);
        endOldest();
      });
    },
    abandonCall(userId, end) {
      const { abandoned } = account(userId);
      abandoned.add(end);
      return () => abandoned.delete(end);
    },
    total: (what) => totals[what],
  };
}

const nothing = (): Account['used'] => ({
  requests: 0,
  calls: 0,
  streams: 0,
  sessions: 0,
  subscriptions: 0,
  bodiesBytes: 0,
});
