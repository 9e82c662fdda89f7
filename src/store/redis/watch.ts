import type { Connection } from './connection.ts';

export interface Watch {
  watch(key: string, onChange: () => void): () => void;
  stop(): void;
}

/** Milliseconds between two looks where messages cannot be had. */
const pollInterval = 250;

interface Entry {
  /** The version that was there when it was last looked at; undefined where that failed. */
  seen: Promise<string | undefined>;
  callbacks: Set<() => void>;
}

/**
 * Watchers of keys, each told by a channel of its own, so that a server hears only of what it asked for. What was
 * written before the subscription stood, or while the connection was down, is found by a look at the version.
 * Where the server allows no messages, the versions are looked at by a timer.
 */
export function watchKeys(
  connection: Connection,
  channelOf: (key: string) => string,
  versionOf: (key: string) => Promise<string>,
): Watch {
  const entries = new Map<string, Entry>();
  const subscribed = new Set<string>();
  /** By key, the change of its subscription that is under way. */
  const changes = new Map<string, Promise<void>>();
  let timer: NodeJS.Timeout | undefined;

  const version = (key: string) => versionOf(key).catch(() => undefined);

  function call(key: string): void {
    for (const callback of entries.get(key)?.callbacks ?? []) queueMicrotask(callback);
  }

  /** Tells the watchers of a key whose version is not the one that was last seen. */
  async function look(key: string): Promise<void> {
    const entry = entries.get(key);
    if (entry === undefined) return;
    const before = await entry.seen;
    const current = await version(key);
    if (current === before && current !== undefined) return;
    entry.seen = Promise.resolve(current);
    if (entries.get(key) === entry) call(key);
  }

  const lookAtAll = () => {
    for (const key of entries.keys()) void look(key);
  };

  function poll(): void {
    timer ??= setInterval(lookAtAll, pollInterval);
    timer.unref();
  }

  /** Subscribes to a key that is watched, or ends the subscription of one that is not, one step at a time. */
  async function subscribe(key: string): Promise<void> {
    while (entries.has(key) !== subscribed.has(key)) {
      if (entries.has(key)) {
        await connection.listen(channelOf(key), () => call(key));
        subscribed.add(key);
        await look(key);
      } else {
        await connection.unlisten(channelOf(key));
        subscribed.delete(key);
      }
    }
  }

  function follow(key: string): void {
    if (changes.has(key)) return;
    const change = subscribe(key)
      .catch(poll)
      .finally(() => changes.delete(key));
    changes.set(key, change);
  }

  connection.onGap(lookAtAll);

  return {
    watch(key, onChange) {
      // Asked for at once, on the connection that reads what the caller reads next.
      const entry = entries.get(key) ?? { seen: version(key), callbacks: new Set() };
      entries.set(key, entry);
      follow(key);
      // A function of its own for every call, so that one callback can watch a key twice.
      const callback = () => {
        if (entry.callbacks.has(callback)) onChange();
      };
      entry.callbacks.add(callback);
      return () => {
        entry.callbacks.delete(callback);
        if (entry.callbacks.size > 0 || entries.get(key) !== entry) return;
        entries.delete(key);
        follow(key);
      };
    },
    stop() {
      clearInterval(timer);
      entries.clear();
    },
  };
}
