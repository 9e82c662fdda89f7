/**
 * What servers that share a store tell each other of one user: how much of each limit every server has borrowed, and
 * how many requests the user has saved up. Pure functions on the record.
 */

/** Amounts that a user holds at the same time. */
export const heldKinds = ['requests', 'calls', 'streams', 'sessions', 'subscriptions'] as const;
export type Amounts = Record<(typeof heldKinds)[number], number>;

/** What there is to borrow, for all servers together. */
export interface Pool {
  held: Amounts;
  /** Requests that may be saved up. */
  burst: number;
  requestsPerSecond: number;
}

export interface Ask {
  server: string;
  /** How much of each amount is in use, and so stays borrowed in any case. */
  least: Amounts;
  /** How much of each amount is wanted. */
  most: Amounts;
  /** Requests that are given back. */
  returned: number;
  /** Requests that callers wait for, and how many more it would take for later. */
  needed: number;
  ahead: number;
}

export interface Answer {
  held: Amounts;
  requests: number;
  /** Seconds until the rest of `needed` would be there. */
  wait: number;
}

interface Row extends Partial<Amounts> {
  /** When the server wrote it last, by its clock. */
  seen: number;
}

interface LedgerRecord {
  saved: number;
  at: number;
  rows: Record<string, Row>;
}

/** Milliseconds after which a server that does not write its row any more counts as gone. */
const gone = 15_000;
/** Milliseconds that the clocks of two servers may differ. */
const skew = 2_000;

/** What the record becomes when a server asks; undefined where nothing is borrowed any more. */
export function settle(
  text: string | undefined,
  { held, burst, requestsPerSecond }: Pool,
  ask: Ask,
  now: number,
): { answer: Answer; record: string | undefined; expires: number } {
  const before = parse(text);
  const others = Object.entries(before?.rows ?? {}).filter(
    ([server, row]) => server !== ask.server && Math.abs(now - row.seen) < gone,
  );
  const given = Object.fromEntries(
    heldKinds.map((kind) => {
      const taken = others.reduce((sum, [, row]) => sum + (row[kind] ?? 0), 0);
      return [kind, Math.max(ask.least[kind], Math.min(ask.most[kind], held[kind] - taken))];
    }),
  ) as Amounts;
  const { saved, at } = refilled(before, burst, requestsPerSecond, now);
  const there = Math.min(burst, saved + ask.returned);
  const requests = Math.max(0, Math.min(ask.needed + ask.ahead, there));
  const left = there - requests;
  const rows: LedgerRecord['rows'] = Object.fromEntries(others);
  if (heldKinds.some((kind) => given[kind] > 0)) rows[ask.server] = { seen: now, ...nonZero(given) };
  const isIdle = left >= burst && Object.keys(rows).length === 0;
  const record: LedgerRecord = { saved: left, at, rows };
  return {
    answer: {
      held: given,
      requests,
      wait: requests >= ask.needed ? 0 : (ask.needed - requests) / requestsPerSecond,
    },
    record: isIdle ? undefined : JSON.stringify(record),
    expires: Math.ceil(now + gone + ((burst - left) / Math.max(requestsPerSecond, 0.001)) * 1000),
  };
}

function refilled(
  before: LedgerRecord | undefined,
  burst: number,
  requestsPerSecond: number,
  now: number,
): { saved: number; at: number } {
  if (before === undefined) return { saved: burst, at: now };
  // A clock that was far ahead must not keep everybody waiting until the others have caught up.
  const at = before.at > now + skew ? now : Math.max(before.at, now);
  const passed = Math.max(0, at - before.at) / 1000;
  return { saved: Math.min(burst, before.saved + passed * requestsPerSecond), at };
}

const nonZero = (amounts: Amounts): Partial<Amounts> =>
  Object.fromEntries(Object.entries(amounts).filter(([, amount]) => amount > 0));

function parse(text: string | undefined): LedgerRecord | undefined {
  try {
    return text === undefined ? undefined : (JSON.parse(text) as LedgerRecord);
  } catch {
    return undefined;
  }
}
