export interface TimeLimit {
  /** Aborted when the time is up, or with one of the signals that are followed and for its reason. */
  readonly signal: AbortSignal;
  /** Something has come: the time begins anew. */
  restart(): void;
  /** Stops the clock and follows nothing any more. */
  end(): void;
  /** Aborts the signal now. */
  abort(): void;
}

export interface TimeLimitOptions {
  /** Infinity: only the signals end it. */
  ms: number;
  /** What the signal is aborted with when the time is up. */
  reason?: (() => unknown) | undefined;
  follow?: readonly (AbortSignal | undefined)[] | undefined;
}

/** The one clock for what must end: an attempt of a request, a whole tool call, a stream that fell silent. */
export function timeLimit({ ms, reason, follow = [] }: TimeLimitOptions): TimeLimit {
  const controller = new AbortController();
  const signals = follow.filter((signal) => signal !== undefined);
  const listeners = signals.map((signal) => {
    const listener = () => abort(signal.reason);
    signal.addEventListener('abort', listener, { once: true });
    return () => signal.removeEventListener('abort', listener);
  });
  const timer = Number.isFinite(ms) ? setTimeout(() => abort(reason?.()), ms).unref() : undefined;
  const end = () => {
    clearTimeout(timer);
    for (const remove of listeners.splice(0)) remove();
  };
  function abort(why: unknown): void {
    end();
    controller.abort(why);
  }
  const already = signals.find((signal) => signal.aborted);
  if (already !== undefined) abort(already.reason);
  return {
    signal: controller.signal,
    restart() {
      if (!controller.signal.aborted) timer?.refresh();
    },
    end,
    abort: () => abort(undefined),
  };
}
