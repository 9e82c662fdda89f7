import { setTimeout as sleep } from 'node:timers/promises';
import type { TextEmbedder } from '../../embeddings/embedder.ts';
import { type EmbedBatches, embedBatches } from './embed-batches.ts';
import { allMemories, waitingMemories } from './embed-memories.ts';
import { embedSession, sessionsToEmbed } from './embed-sessions.ts';
import {
  beginRound,
  type Embedding,
  endRound,
  type Lease,
  learnDimensions,
  sinceOf,
  tagOfEmbedder,
  takeLease,
} from './embedding-record.ts';
import type { Local } from './session-record.ts';

export interface EmbedWork {
  /** With the store itself: what this writes is no news. */
  local: Local;
  embedder: TextEmbedder;
  /** Names this process. */
  worker: string;
  /** Milliseconds after which the work of a silent process is another's. */
  leaseMs: number;
  stopped: () => boolean;
}

export type Round =
  /** All texts have vectors, or the round was stopped. */
  | 'done'
  /** Others have seen more meanwhile. */
  | 'again'
  /** Another process is at it. */
  | 'busy'
  /** The store has another model by now. */
  | 'replaced';

/** How often it is noted up to which time there was nothing to do, in milliseconds. */
const noteEvery = 60_000;

/** Sessions that were written to for so many milliseconds are embedded first, and while others are, so often. */
const newMs = 24 * 60 * 60_000;
const newEvery = 30_000;

/** Ends a round early: this process ends, or another is at work. */
class Interrupted extends Error {}

/**
 * Gives vectors to the texts that have none, up to `size` in one request, until all have one.
 * @throws SessionError what is wrong with the endpoint, or the store
 */
export async function embedStore(work: EmbedWork, size: number): Promise<Round> {
  const { local, embedder, worker, stopped } = work;
  const tag = tagOfEmbedder(embedder);
  const started = local.now();
  const begun = await beginRound(local, tag);
  if (begun === undefined) return 'replaced';
  const lease: Lease = { tag, worker, ms: work.leaseMs };
  const since = begun.scanned;
  if (!(await isAnyLeft(local, begun))) {
    if (started - since < noteEvery) return 'done';
    return (await endRound(local, lease, { since, scanned: started })) ? 'again' : 'done';
  }
  // What was read before is not relied on: whoever had the lease until now may have done it.
  let { memories } = begun;
  if (!(await takeLease(local, lease, { memories }))) return 'busy';
  const renewal = renewing(work.leaseMs / 3, () => takeLease(local, lease, { memories }));
  const batches = embedBatches(embedder, {
    size,
    dimensions: begun.dimensions,
    async beforeEach() {
      if (stopped() || !(await takeLease(local, lease, { memories }))) throw new Interrupted();
    },
    learned: (dimensions) => learnDimensions(local, tag, dimensions),
  });
  let scanned = since;
  try {
    await embedAll(work, begun, batches, (last) => {
      memories = last;
    });
    scanned = started;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    return stopped() ? 'done' : 'busy';
  } finally {
    await renewal.stop();
    if (scanned === since) await endRound(local, lease, { memories, since, scanned });
  }
  return (await endRound(local, lease, { memories, since, scanned })) ? 'again' : 'done';
}

/** Whether any text waits, or all memories are still to be looked through. */
async function isAnyLeft(local: Local, begun: Embedding): Promise<boolean> {
  if (begun.memories !== undefined) return true;
  for await (const _ of waitingMemories(local, begun.tag)) return true;
  for await (const _ of sessionsToEmbed(local, begun.tag, sinceOf(begun))) return true;
  return false;
}

/**
 * All that waits, what is new before what was there before there were vectors: people search for what they just said.
 * `passed` is told the last memory that was looked at; undefined: all were.
 */
async function embedAll(
  { local, stopped }: EmbedWork,
  begun: Embedding,
  batches: EmbedBatches,
  passed: (memories: string | undefined) => void,
): Promise<void> {
  const { tag } = begun;
  const started = local.now();
  let looked = started;
  async function embedNew(since: number): Promise<void> {
    looked = local.now();
    for await (const job of waitingMemories(local, tag)) await batches.add(job);
    for await (const session of sessionsToEmbed(local, tag, since))
      for await (const job of embedSession(local, tag, session)) await batches.add(job);
    await batches.finish();
  }
  async function embedNewMeanwhile(): Promise<void> {
    if (stopped()) throw new Interrupted();
    if (local.now() - looked < newEvery) return;
    await batches.finish();
    await embedNew(looked - newEvery);
  }
  const since = sinceOf(begun);
  await embedNew(Math.max(since, started - newMs));
  if (since < started - newMs)
    for await (const session of sessionsToEmbed(local, tag, since)) {
      for await (const job of embedSession(local, tag, session)) await batches.add(job);
      await embedNewMeanwhile();
    }
  await batches.finish();
  if (begun.memories !== undefined)
    for await (const { jobs, last } of allMemories(local, tag, begun.memories)) {
      for (const job of jobs) await batches.add(job);
      await batches.finish();
      passed(last);
      await embedNewMeanwhile();
    }
  passed(undefined);
}

/** A request may take longer than a lease. */
function renewing(ms: number, renew: () => unknown): { stop: () => Promise<void> } {
  const ended = new AbortController();
  const running = (async () => {
    for (;;) {
      await sleep(ms, undefined, { signal: ended.signal, ref: false });
      await renew();
    }
  })().catch(() => {});
  return {
    async stop() {
      ended.abort();
      await running;
    },
  };
}
