/** Milliseconds between two checks for writes of other processes. */
const interval = 25;

/** How to read the watched database. Both functions may throw; the next check then tries again. */
export interface Watched {
  /** A number that changes with every commit of another connection. */
  version(): number;
  value(key: string): string | undefined;
}

export interface Watch {
  watch(key: string, onChange: () => void): () => void;
  /** Notifies the watchers of these keys, and of all keys with these prefixes, at once. */
  written(keys: readonly string[], prefixes: readonly string[]): void;
  stop(): void;
}

interface Entry {
  /** Undefined where the key has no value, null where it could not be read. */
  seen: string | undefined | null;
  callbacks: Set<() => void>;
}

/**
 * Watches keys. This process announces its own commits by `written`. A timer, which runs only while keys are watched,
 * finds the commits of other processes by comparing values; it misses a write that does not change the value.
 */
export function watchKeys(watched: Watched): Watch {
  const entries = new Map<string, Entry>();
  let timer: NodeJS.Timeout | undefined;
  let version: number | undefined;

  function look(): void {
    const current = read(watched.version);
    if (current === null || current === version) return;
    version = current;
    for (const [key, entry] of entries) {
      const value = read(() => watched.value(key));
      if (value === entry.seen) continue;
      entry.seen = value;
      call(entry);
    }
  }

  function call(entry: Entry): void {
    for (const callback of entry.callbacks) queueMicrotask(callback);
  }

  function stop(): void {
    clearInterval(timer);
    timer = undefined;
    entries.clear();
  }

  return {
    watch(key, onChange) {
      if (timer === undefined) {
        timer = setInterval(look, interval);
        timer.unref();
        version = read(watched.version) ?? undefined;
      }
      const entry = entries.get(key) ?? { seen: read(() => watched.value(key)), callbacks: new Set() };
      entries.set(key, entry);
      // A new function for every call, so that one callback can watch a key twice.
      const callback = () => {
        if (entry.callbacks.has(callback)) onChange();
      };
      entry.callbacks.add(callback);
      return () => {
        entry.callbacks.delete(callback);
        if (entry.callbacks.size === 0 && entries.get(key) === entry) entries.delete(key);
        if (entries.size === 0) stop();
      };
    },
    written(keys, prefixes) {
      if (entries.size === 0) return;
      const touched = new Set(keys);
      for (const [key, entry] of entries) {
        if (!touched.has(key) && !prefixes.some((prefix) => key.startsWith(prefix))) continue;
        entry.seen = read(() => watched.value(key));
        call(entry);
      }
    },
    stop,
  };
}

/** The value, or null when reading fails, for example while another process repairs the file after a crash. */
function read<T>(what: () => T): T | null {
  try {
    return what();
  } catch {
    return null;
  }
}
