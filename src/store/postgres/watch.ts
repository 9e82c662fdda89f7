import { createHash } from 'node:crypto';
import type { Write } from '../types.ts';
import type { Connection, Statement } from './connection.ts';
import { prefix } from './names.ts';

export interface Watch {
  watch(key: string, onChange: () => void): () => void;
  /**
   * Resolves when it is known what the watched keys held: whoever begins to watch and then reads must not read
   * before, or a change in between would pass unnoticed.
   */
  ready(): Promise<unknown>;
  /** Tells the watchers of this process and of all others. */
  written(writes: readonly Write[]): void;
  /** Resolves when the last message is sent. */
  stop(): Promise<void>;
}

/** Milliseconds between two looks: where messages come, only one that was lost with its sender is found so. */
const rareInterval = 2000;
const oftenInterval = 100;
/** Milliseconds between two messages of this process. */
const gap = 5;
/** A message holds so many keys at most; Postgres takes 8,000 bytes. */
const mostKeys = 900;
/** Stands for any key. */
const anyKey = '*';

const listen: Statement = { name: 'asms_listen', text: 'listen agent_sessions' };
const notify: Statement = { name: 'asms_notify', text: "select pg_notify('agent_sessions', $1)" };
const look: Statement = {
  name: 'asms_look',
  text: `select key, md5(value) from ${prefix}kv where key = any($1)`,
};

interface Entry {
  digest: string;
  /** Of the value when it was last looked at; undefined where that has not been done yet. */
  seen: string | undefined;
  /** The first look failed, so that a change may have been missed. */
  missed: boolean;
  callbacks: Set<() => void>;
}

/**
 * Watchers of keys. A commit is announced by a message of its own, sent right after it: within the transaction all
 * commits of the database would wait for each other
 * (postgresql.org/docs/current/sql-notify.html). A message that is lost is made good by a look at the values.
 */
export function watchKeys(connection: Connection): Watch {
  const entries = new Map<string, Entry>();
  const byDigest = new Map<string, Set<string>>();
  const firstLooks = new Set<Promise<void>>();
  let unsent = new Set<string>();
  let sending: Promise<void> | undefined;
  let listening: { release: () => void } | undefined;
  let connecting = false;
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const call = (key: string) => {
    for (const callback of entries.get(key)?.callbacks ?? []) queueMicrotask(callback);
  };

  const lookAtAll = () => lookAt([...entries.keys()]);

  async function lookAt(keys: readonly string[]): Promise<void> {
    if (keys.length === 0) return;
    const rows = await connection.run(look, [keys]).catch(() => undefined);
    const values = new Map(rows?.map(([key, value]) => [String(key), String(value)]));
    for (const key of keys) {
      const entry = entries.get(key);
      if (entry === undefined) continue;
      if (rows === undefined) {
        entry.missed ||= entry.seen === undefined;
        continue;
      }
      const current = values.get(key) ?? '';
      const changed = entry.seen === undefined ? entry.missed : entry.seen !== current;
      entry.seen = current;
      entry.missed = false;
      if (changed) call(key);
    }
  }

  function schedule(): void {
    clearTimeout(timer);
    if (entries.size === 0 || stopped) return;
    timer = setTimeout(
      () => void lookAtAll().finally(schedule),
      listening === undefined ? oftenInterval : rareInterval,
    );
    timer.unref();
  }

  async function startListening(): Promise<void> {
    if (connecting || listening !== undefined || connection.pooled || stopped) return;
    connecting = true;
    try {
      const session = await connection.hold(onMessage, () => {
        listening = undefined;
        schedule();
        if (entries.size > 0) setTimeout(() => void startListening(), 500).unref();
      });
      await session.run(listen).catch((error: unknown) => {
        session.release();
        throw error;
      });
      if (stopped) session.release();
      else listening = session;
      // What was written before the first message could come.
      await lookAtAll();
    } catch {
      if (!stopped) setTimeout(() => void startListening(), 500).unref();
    } finally {
      connecting = false;
      schedule();
    }
  }

  function onMessage(payload: string): void {
    if (payload === anyKey) void lookAtAll();
    else
      for (let i = 0; i < payload.length; i += digestLength)
        for (const key of byDigest.get(payload.slice(i, i + digestLength)) ?? []) call(key);
  }

  async function send(): Promise<void> {
    while (unsent.size > 0) {
      const keys = unsent;
      unsent = new Set();
      const payload = keys.has(anyKey) || keys.size > mostKeys ? anyKey : [...keys].join('');
      // Whoever it does not reach looks for itself.
      await connection.run(notify, [payload]).catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, gap));
    }
    sending = undefined;
  }

  function announce(digests: Iterable<string>): void {
    for (const digest of digests) unsent.add(digest);
    sending ??= send();
  }

  return {
    watch(key, onChange) {
      const fresh = {
        digest: digestOf(key),
        seen: undefined,
        missed: false,
        callbacks: new Set<() => void>(),
      };
      const entry: Entry = entries.get(key) ?? fresh;
      if (!entries.has(key)) {
        entries.set(key, entry);
        byDigest.set(entry.digest, (byDigest.get(entry.digest) ?? new Set()).add(key));
        const first = lookAt([key]).finally(() => firstLooks.delete(first));
        firstLooks.add(first);
        if (entries.size === 1) schedule();
        void startListening();
      }
      // A function of its own for every call, so that one callback can watch a key twice.
      const callback = () => {
        if (entry.callbacks.has(callback)) onChange();
      };
      entry.callbacks.add(callback);
      return () => {
        entry.callbacks.delete(callback);
        if (entry.callbacks.size > 0 || entries.get(key) !== entry) return;
        entries.delete(key);
        byDigest.get(entry.digest)?.delete(key);
        if (byDigest.get(entry.digest)?.size === 0) byDigest.delete(entry.digest);
      };
    },
    ready: () => Promise.all(firstLooks),
    written(writes) {
      if (writes.length === 0) return;
      const prefixes = writes.flatMap((write) => ('dropPrefix' in write ? write.dropPrefix : []));
      const keys = new Set(
        writes.flatMap((write) => ('key' in write ? write.key : 'drop' in write ? write.drop : [])),
      );
      for (const key of entries.keys())
        if (keys.has(key) || prefixes.some((one) => key.startsWith(one))) call(key);
      announce(prefixes.length > 0 ? [anyKey] : Array.from(keys, digestOf));
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      entries.clear();
      byDigest.clear();
      listening?.release();
      await sending;
    },
  };
}

const digestLength = 8;
const digestOf = (key: string): string =>
  createHash('sha256').update(key).digest('base64url').slice(0, digestLength);
