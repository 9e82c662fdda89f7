export interface Watchdog {
  /** Aborted with the given signal, or when nothing has come for too long. */
  readonly signal: AbortSignal;
  /** Something has come. */
  pet(): void;
  stop(): void;
}

/** Ends what falls silent for `ms`. */
export function watchdog(ms: number, signal: AbortSignal): Watchdog {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const pet = () => {
    clearTimeout(timer);
    timer = setTimeout(() => controller.abort(), ms);
    timer.unref();
  };
  pet();
  return { signal: AbortSignal.any([signal, controller.signal]), pet, stop: () => clearTimeout(timer) };
}
