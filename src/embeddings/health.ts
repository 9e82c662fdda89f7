import type { SessionError } from '../errors.ts';

/** Whether a service may be asked now, after what became of the last times. */
export interface Health {
  /** Why it is not well; undefined while it is. */
  readonly fault: SessionError | undefined;
  /** Milliseconds until it may be asked again. */
  wait(): number;
  failed(error: SessionError): void;
  worked(): void;
}

/** The first pause after a failure in milliseconds, which doubles; and the longest, also of those that are asked for. */
const shortest = 1000;
const longest = 5 * 60_000;
const longestAskedFor = 60 * 60_000;

/** `changed` is told when the service fails after it was well, and when it is well again. */
export function health(changed: (fault: SessionError | undefined) => void): Health {
  let fault: SessionError | undefined;
  let failures = 0;
  let until = 0;
  return {
    get fault() {
      return fault;
    },
    wait: () => Math.max(0, until - performance.now()),
    failed(error) {
      const first = fault === undefined;
      fault = error;
      const doubled = Math.min(longest, shortest * 2 ** failures);
      failures += 1;
      // Servers that failed together do not ask again together.
      const own = doubled * (0.75 + Math.random() / 2);
      const askedFor = Math.min(longestAskedFor, (error.retryAfter ?? 0) * 1000);
      until = performance.now() + Math.max(own, askedFor);
      if (first) changed(error);
    },
    worked() {
      const again = fault !== undefined;
      fault = undefined;
      failures = 0;
      until = 0;
      if (again) changed(undefined);
    },
  };
}
