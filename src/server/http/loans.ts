import type { SharedRecords } from '../../store/shared-records.ts';
import { type Amounts, type Answer, heldKinds, type Pool, settle } from './limit-ledger.ts';

/** What a server has borrowed of one user's limits, beyond the share that it has without asking. */
export interface Loan {
  /** How much of each amount is borrowed. */
  readonly held: Readonly<Amounts>;
  /** Requests that may be spent. */
  readonly requests: number;
  /** Spends requests that are there, or more than those: then later ones are fewer. */
  spend(requests: number): void;
  /** Calls `use` when it is known whether there is more; at once where that was refused a moment ago. */
  borrow<T>(kind: keyof Amounts | 'rate', amount: number, use: () => T): Promise<T>;
  /** Seconds until requests that were refused are there. */
  readonly wait: number;
}

export interface LoanOptions {
  records: SharedRecords;
  /** The name of this server in them. */
  server: string;
  pool: Pool;
  /** Takes so much of each at a time, so that few ask. */
  lot: Amounts & { rate: number };
  now: () => number;
}

/** Milliseconds between two signs of life, with which is given back what was not needed. */
const beat = 2000;
/** Milliseconds for which a refusal is remembered, so that refused callers cost the store nothing. */
const refusal = 250;
/** Milliseconds that the store has to answer. After that the server counts for itself for a while. */
const answerTime = 2000;
const aloneTime = 5000;

const none = (): Amounts => ({ requests: 0, calls: 0, streams: 0, sessions: 0, subscriptions: 0 });

/**
 * Opens the loans of one user.
 * @param inUse how much of each amount is used beyond the share
 * @param onIdle is told when nothing is borrowed any more
 */
export function openLoan(
  userId: string,
  { records, server, pool, lot, now }: LoanOptions,
  inUse: () => Amounts,
  onIdle: () => void,
): Loan {
  let held = none();
  let requests = 0;
  let spent = 0;
  /** When requests that were refused are there. */
  let freeAt = 0;
  /** What callers are waiting for. */
  const wanted = { ...none(), rate: 0 };
  const refusedUntil = { ...none(), rate: 0 };
  let peak = none();
  let aloneUntil = 0;
  let aloneSince = 0;
  let running: Promise<void> | undefined;
  let next: Promise<void> | undefined;

  /** One after another; whoever comes while one is under way shares the next. */
  function ask(giveBack = false): Promise<void> {
    next ??= (running ?? Promise.resolve()).then(() => {
      next = undefined;
      running = exchange(giveBack).finally(() => {
        running = undefined;
      });
      return running;
    });
    return next;
  }

  async function exchange(giveBack: boolean): Promise<void> {
    if (now() < aloneUntil) return lendAlone();
    const used = inUse();
    const waiting = { ...wanted };
    // Less than none where a request counted as many: a debt that is paid with the next ones, or here.
    const returned = giveBack && spent === 0 && wanted.rate === 0 ? requests : 0;
    const needed = Math.max(0, wanted.rate - requests);
    const asked = {
      server,
      least: used,
      most: each((kind) =>
        Math.min(
          pool.held[kind],
          wanted[kind] > 0 ? used[kind] + wanted[kind] + lot[kind] : Math.max(used[kind], peak[kind]),
        ),
      ),
      returned,
      needed,
      ahead: needed > 0 || (!giveBack && requests < lot.rate / 2) ? lot.rate : 0,
    };
    requests -= returned;
    // What is about to be given back is not lent meanwhile.
    held = each((kind) => Math.min(held[kind], asked.most[kind]));
    const at = Date.now();
    const answer = await inTime(
      records.update(userId, (record) => {
        const { answer: result, ...change } = settle(record, pool, asked, at);
        return { result, ...change };
      }),
      // An answer that comes late counts all the same.
      (late) => {
        requests += late.requests;
      },
    );
    spent = 0;
    peak = used;
    if (answer === undefined) {
      aloneUntil = now() + aloneTime;
      aloneSince = now() - 1000;
      return lendAlone();
    }
    held = answer.held;
    requests += answer.requests;
    freeAt = now() + answer.wait * 1000;
    if (answer.wait > 0) refusedUntil.rate = Math.min(freeAt, now() + beat);
    for (const kind of heldKinds)
      if (held[kind] < used[kind] + waiting[kind]) refusedUntil[kind] = now() + refusal;
  }

  /** While the store does not answer, nobody is refused for what other servers may do. */
  function lendAlone(): void {
    held = pool.held;
    requests = Math.min(pool.burst, requests + ((now() - aloneSince) / 1000) * pool.requestsPerSecond);
    aloneSince = now();
    freeAt = now() + (Math.max(0, wanted.rate - requests) / pool.requestsPerSecond) * 1000;
  }

  const timer = setInterval(() => {
    void ask(true).then(() => {
      const isIdle = requests <= 0 && heldKinds.every((kind) => held[kind] === 0 && wanted[kind] === 0);
      if (!isIdle || wanted.rate > 0 || next !== undefined) return;
      clearInterval(timer);
      onIdle();
    });
  }, beat);
  timer.unref();

  return {
    get held() {
      return held;
    },
    get requests() {
      return requests;
    },
    get wait() {
      return Math.max(0, freeAt - now()) / 1000;
    },
    spend(amount) {
      requests -= amount;
      spent += amount;
      if (requests < lot.rate / 2 && now() >= refusedUntil.rate && next === undefined) void ask();
    },
    async borrow(kind, amount, use) {
      if (now() < refusedUntil[kind]) return use();
      wanted[kind] += amount;
      try {
        await ask();
        return use();
      } finally {
        // Not before it is used: what nobody wants may be given back at any moment.
        wanted[kind] -= amount;
        if (kind !== 'rate') peak[kind] = Math.max(peak[kind], inUse()[kind]);
      }
    },
  };
}

/** Undefined when there is no answer in time, or an error. */
async function inTime(
  answer: Promise<Answer>,
  onLate: (answer: Answer) => void,
): Promise<Answer | undefined> {
  let timer: NodeJS.Timeout | undefined;
  let isLate = false;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => {
      isLate = true;
      resolve(undefined);
    }, answerTime);
  });
  const known = answer.then(
    (found) => {
      if (isLate) onLate(found);
      return found;
    },
    () => undefined,
  );
  return Promise.race([known, late]).finally(() => clearTimeout(timer));
}

const each = (of: (kind: keyof Amounts) => number): Amounts =>
  Object.fromEntries(heldKinds.map((kind) => [kind, of(kind)])) as Amounts;
