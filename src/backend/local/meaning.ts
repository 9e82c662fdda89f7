import { type Embedder, mostCharacters } from '../../embeddings/embedder.ts';
import { type Near, nearest } from '../../embeddings/nearest.ts';
import { newLongId } from '../../model/ids.ts';
import { cutEnd } from '../../model/text.ts';
import type { Store } from '../../store/types.ts';
import type { Owner } from '../types.ts';
import { sessionsToEmbed, textsWithout } from './embed-sessions.ts';
import { type EmbedWork, embedStore, type Round } from './embed-store.ts';
import { claimModel, lookBack, readEmbedding, sinceOf, tagOfEmbedder } from './embedding-record.ts';
import * as keys from './keys.ts';
import type { NearQuery, NearSearch, VectorKind } from './near-search.ts';
import type { Local } from './session-record.ts';
import { markOf } from './vector-record.ts';
import { vectorScopes } from './vector-scopes.ts';

/** Search by meaning, and the making of the vectors that it needs. */
export interface Meaning extends NearSearch {
  /** Something was written. */
  poke(): void;
  /** For describe_server. */
  describe(): Promise<string>;
  stop(): Promise<void>;
}

/** Milliseconds between a write and the round for it, so that one round serves many. */
const gatherMs = 200;
const everyMs = 60_000;
/** A round is begun at the earliest after so many times what the last one took here, without the endpoint's part. */
const restOfRound = 10;
/** Milliseconds that a search waits for vectors from the store, once that of its query is late. */
const afterQueryMs = 100;
/** Milliseconds after which a session that appears may be older than what rounds look at. */
const longMaking = 30_000;
/** Texts that wait are counted up to here. */
const mostCounted = 2000;

/** The store of `local`, as one that tells of its writes. */
export function tellingStore(store: Store, written: () => void): Store {
  return {
    ...store,
    async update(keysRead, decide) {
      const result = await store.update(keysRead, decide);
      written();
      return result;
    },
  };
}

/** Begins to make vectors for the store's texts, and answers searches by them. `local` has the store itself. */
export function openMeaning(
  local: Local,
  embedder: Embedder,
  { leaseMs, onError }: { leaseMs: number; onError: (error: unknown) => void },
): Meaning {
  const scopes = vectorScopes(local);
  const tag = tagOfEmbedder(embedder);
  let stopped = false;
  let replaced = false;
  let size = embedder.batchSize;
  let timer: NodeJS.Timeout | undefined;
  let due = Number.POSITIVE_INFINITY;
  let running: Promise<void> | undefined;
  let rest = gatherMs;
  const worker = newLongId('x', local.now());
  /** Milliseconds of the round that went by waiting for the endpoint. */
  let asking = 0;
  const timed = async <T>(request: Promise<T>): Promise<T> => {
    const start = performance.now();
    try {
      return await request;
    } finally {
      asking += performance.now() - start;
    }
  };
  const asked: EmbedWork['embedder'] = {
    model: embedder.model,
    dimensions: embedder.dimensions,
    embed: (texts, dimensions) => timed(embedder.embed(texts, dimensions)),
    check: (text, dimensions) => timed(embedder.check(text, dimensions)),
  };
  const work: EmbedWork = { local, embedder: asked, worker, leaseMs, stopped: () => stopped };
  let claimed: Promise<void> | undefined;
  /** Rejects while the store cannot be written to; the next time it is tried again. */
  function claim(): Promise<void> {
    claimed ??= claimModel(local, embedder).catch((error: unknown) => {
      claimed = undefined;
      throw error;
    });
    return claimed;
  }

  function schedule(ms: number): void {
    const at = performance.now() + ms;
    if (stopped || replaced || at >= due) return;
    due = at;
    clearTimeout(timer);
    timer = setTimeout(begin, ms).unref();
  }

  function begin(): void {
    due = Number.POSITIVE_INFINITY;
    const wait = running === undefined ? embedder.wait() : gatherMs;
    if (wait > 0) schedule(wait);
    else
      running = round().finally(() => {
        running = undefined;
      });
  }

  async function round(): Promise<void> {
    const start = performance.now();
    asking = 0;
    try {
      await claim();
      const outcome = await embedStore(work, size);
      size = Math.min(embedder.batchSize, 2 * size);
      next(outcome, performance.now() - start - asking);
    } catch (error) {
      if (stopped) return;
      // The endpoint's faults are told of by whoever asks it.
      if (embedder.fault === error) size = Math.max(1, Math.floor(size / 2));
      else onError(error);
      schedule(Math.max(embedder.wait(), gatherMs));
    }
  }

  function next(outcome: Round, took: number): void {
    if (outcome === 'replaced') replaced = true;
    else if (outcome === 'again') schedule(gatherMs);
    else if (outcome === 'busy') schedule(leaseMs);
    else schedule(everyMs);
    rest = Math.max(gatherMs, Math.min(everyMs, restOfRound * took));
  }
  schedule(0);

  async function near(owner: Owner, kind: VectorKind, query: NearQuery): Promise<Near[]> {
    const { dimensions, tag: current } = (await readEmbedding(local)) ?? {};
    if (current !== tag || dimensions === undefined) return [];
    const direction = await embedder.query(cutEnd(query.text, mostCharacters), dimensions);
    if (direction === undefined) return [];
    const groups = await scopes.load(owner, kind, { tag, dimensions });
    const chosen = query.group === undefined ? [...groups] : pick(groups, query.group);
    const sets = chosen.map(([group, { set }]) => [group, set] as const);
    return nearest(sets, direction, query.limit);
  }

  return {
    poke: () => schedule(rest),
    nearest: (owner, kind, query) =>
      within(
        embedder.searchMs + afterQueryMs,
        near(owner, kind, query).catch((error: unknown) => {
          onError(error);
          return [];
        }),
      ),
    forget: scopes.forget,
    async appeared(updated) {
      if (local.now() - updated < longMaking) return;
      // The session is there, whatever becomes of this.
      await claim()
        .then(() => lookBack(local, tag, updated))
        .catch(onError);
      schedule(rest);
    },
    async describe() {
      const about = `Search finds by meaning, too, with the embeddings of the model ${embedder.model}`;
      if (replaced)
        return `Search finds by words only: another server makes embeddings of another model than ${embedder.model} for this store.`;
      const waiting = await countWaiting();
      const said = waiting === '' ? `${about}.` : `${about}; ${waiting}.`;
      const { fault } = embedder;
      return fault === undefined
        ? said
        : `${said} Now it finds by words only, until the endpoint does well: ${fault.message}`;
    },
    async stop() {
      stopped = true;
      clearTimeout(timer);
      embedder.close();
      await running;
    },
  };

  async function countWaiting(): Promise<string> {
    const record = await readEmbedding(local);
    if (record?.tag !== tag) return 'its vectors are still to be made';
    const memories = await local.store.range({ prefix: keys.waitingMemories, limit: mostCounted });
    let count = memories.length;
    for await (const { head, mark } of sessionsToEmbed(local, tag, sinceOf(record))) {
      count += textsWithout(head, markOf(tag, mark));
      if (count >= mostCounted) break;
    }
    const earlier = record.memories === undefined ? '' : ', and the memories from before are looked through';
    if (count === 0 && earlier === '') return '';
    const texts = count === 1 ? '1 text waits' : `${count} texts wait`;
    return `${count < mostCounted ? texts : `more than ${mostCounted} texts wait`} for vectors${earlier}`;
  }
}

const pick = <T>(groups: ReadonlyMap<string, T>, group: string): [string, T][] => {
  const found = groups.get(group);
  return found === undefined ? [] : [[group, found]];
};

/** The answer of something that goes on when the time is up; then nothing. */
function within<T>(ms: number, answer: Promise<T[]>): Promise<T[]> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve([]), ms);
    void answer.then((found) => {
      clearTimeout(timer);
      resolve(found);
    });
  });
}
