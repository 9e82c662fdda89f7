import { setTimeout as sleep } from 'node:timers/promises';
import type { TextEmbedder } from '../../embeddings/embedder.ts';
import { embedBatches } from './embed-batches.ts';
import { allMemories, waitingMemories } from './embed-memories.ts';
import { embedSession, sessionsToEmbed } from './embed-sessions.ts';
import {
  beginRound,
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
  let { memories } = begun;
  let held = false;
  const batches = embedBatches(embedder, {
    size,
    dimensions: begun.dimensions,
    async beforeEach() {
      if (stopped() || !(await takeLease(local, lease, { memories }))) throw new Interrupted();
      held = true;
    },
    learned: (dimensions) => learnDimensions(local, tag, dimensions),
  });
  const renewal = renewing(work.leaseMs / 3, () => held && takeLease(local, lease, { memories }));
  let finished = false;
  try {
    for await (const job of waitingMemories(local, tag)) await batches.add(job);
    for await (const session of sessionsToEmbed(local, tag, sinceOf(begun)))
      for await (const job of embedSession(local, tag, session)) await batches.add(job);
    if (memories !== undefined) {
      for await (const { jobs, last } of allMemories(local, tag, memories)) {
        for (const job of jobs) await batches.add(job);
        await batches.finish();
        if (stopped()) throw new Interrupted();
        memories = last;
      }
    }
    await batches.finish();
    memories = undefined;
    finished = true;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
  } finally {
    await renewal.stop();
    if (held && !finished)
      await endRound(local, lease, { memories, since: begun.scanned, scanned: begun.scanned });
  }
  if (!finished) return stopped() ? 'done' : 'busy';
  const worthNoting = held || begun.memories !== undefined || started - begun.scanned > noteEvery;
  const again =
    worthNoting && (await endRound(local, lease, { memories, since: begun.scanned, scanned: started }));
  return again ? 'again' : 'done';
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
