import { randomUUID } from 'node:crypto';
import type { SharedRecords } from '../../store/shared-records.ts';
import { type Amounts, heldKinds } from './limit-ledger.ts';
import { type Loan, openLoan } from './loans.ts';

/**
 * How much one user may use at the same time, and how fast. It is our own code because packages for rate limits count
 * requests by address, and this counts calls, streams, sessions and bytes by user, and frees them.
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

export type Counted = keyof Amounts | 'bodiesBytes';

/** Frees what was reserved. */
type Release = () => void;

/** Seconds after which a refused caller may try again. */
export const retryAfter: Record<Counted, number> = {
  requests: 1,
  calls: 1,
  bodiesBytes: 1,
  streams: 30,
  subscriptions: 30,
  sessions: 60,
};

/** A promise only where other servers must be asked. */
type Maybe<T> = T | Promise<T>;

export interface Limits {
  readonly settings: LimitSettings;
  /** Counts requests against the user's rate. Answers 0, or the seconds after which they would be allowed. */
  spend(userId: string, requests: number): Maybe<number>;
  /** Reserves an amount. Answers a function that frees it, or undefined when the limit is reached. */
  take(userId: string, what: Counted, amount?: number): Maybe<Release | undefined>;
  /** Reserves a call. When the limit is reached, ends the user's oldest abandoned call first. */
  takeCall(userId: string): Promise<Release | undefined>;
  /** Notes a call whose caller can no longer get its answer, with the way to end it. Returns a function that forgets it. */
  abandonCall(userId: string, end: () => void): () => void;
  /** The amount that all users together have reserved on this server. */
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
  /** What is borrowed of the limits that all servers on a store share. */
  loan: Loan | undefined;
}

/** Milliseconds that an abandoned call has to end when its place is needed. */
const endingMs = 1000;

/** The number of accounts above which idle ones are dropped. */
const manyAccounts = 1000;

/** Of a limit that servers share, each has this part for itself and asks nobody; it borrows from the rest. */
const ownPart = 1 / 16;

/**
 * @param records where servers that share a store count together; without them each counts for itself. Then a user
 * has each limit once, and a sixteenth of it more for every further server. Bytes of bodies are always those of one
 * server, whose memory they protect.
 */
export function createLimits(
  settings: LimitSettings,
  now: () => number = () => performance.now(),
  records?: SharedRecords,
): Limits {
  const accounts = new Map<string, Account>();
  const totals: Account['used'] = nothing();
  const server = randomUUID();
  const own = records === undefined ? settings : ownShare(settings);
  const { requestsPerSecond: rate, burst } = own;
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
      loan: undefined,
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
      if (of.loan === undefined && of.saved >= burst && Object.values(of.used).every((used) => used === 0))
        accounts.delete(userId);
    }
    many = Math.max(manyAccounts, 2 * accounts.size);
  }

  function loanOf(userId: string, of: Account, shared: SharedRecords): Loan {
    of.loan ??= openLoan(
      userId,
      { records: shared, server, ...lendingOf(settings, own), now },
      () => amounts((kind) => Math.max(0, of.used[kind] - own[kind])),
      () => {
        of.loan = undefined;
      },
    );
    return of.loan;
  }

  function reserve(of: Account, what: Counted, amount: number): Release | undefined {
    const { used, waiting, loan } = of;
    const borrowed = what === 'bodiesBytes' ? 0 : (loan?.held[what] ?? 0);
    if (used[what] + amount > own[what] + borrowed) return undefined;
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

  function take(userId: string, what: Counted, amount = 1): Maybe<Release | undefined> {
    const of = account(userId);
    const release = reserve(of, what, amount);
    if (release !== undefined || records === undefined || what === 'bodiesBytes') return release;
    if (of.used[what] + amount > settings[what]) return undefined;
    return loanOf(userId, of, records).borrow(what, amount, () => reserve(of, what, amount));
  }

  /** Spends what was saved up here, then what was borrowed. Returns 0, or how many are missing. */
  function pay(of: Account, requests: number): number {
    refill(of);
    const borrowed = of.loan?.requests ?? 0;
    const missing = Math.min(requests, settings.burst) - of.saved - borrowed;
    if (missing > 0) return missing;
    const lent = Math.max(0, Math.min(requests - of.saved, requests));
    if (of.loan === undefined || lent === 0) of.saved -= requests;
    else {
      of.saved -= requests - lent;
      of.loan.spend(lent);
    }
    return 0;
  }

  return {
    settings,
    take,
    spend(userId, requests) {
      if (settings.requestsPerSecond === 0 || requests <= 0) return 0;
      const of = account(userId);
      const missing = pay(of, requests);
      if (missing === 0) return 0;
      if (records === undefined) return missing / rate;
      const loan = loanOf(userId, of, records);
      return loan.borrow('rate', missing, () =>
        pay(of, requests) === 0 ? 0 : Math.max(loan.wait, 1 / settings.requestsPerSecond),
      );
    },
    async takeCall(userId) {
      const release = await take(userId, 'calls');
      const { abandoned, waiting } = account(userId);
      const [endOldest] = abandoned;
      if (release !== undefined || endOldest === undefined) return release;
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

const amounts = (of: (kind: keyof Amounts) => number): Amounts =>
  Object.fromEntries(heldKinds.map((kind) => [kind, of(kind)])) as Amounts;

const nothing = (): Account['used'] => ({ ...amounts(() => 0), bodiesBytes: 0 });

/** Nothing of a limit that is so low that its part would be less than one. */
function ownShare(settings: LimitSettings): LimitSettings {
  const part = (limit: number) => Math.floor(limit * ownPart);
  const burst = part(settings.burst);
  return {
    ...settings,
    ...amounts((kind) => part(settings[kind])),
    burst,
    requestsPerSecond: (settings.requestsPerSecond * burst) / settings.burst,
  };
}

function lendingOf(settings: LimitSettings, own: LimitSettings) {
  return {
    pool: {
      held: amounts((kind) => settings[kind] - own[kind]),
      burst: settings.burst - own.burst,
      requestsPerSecond: settings.requestsPerSecond - own.requestsPerSecond,
    },
    lot: { ...amounts((kind) => own[kind]), rate: own.burst },
  };
}
