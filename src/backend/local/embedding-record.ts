import type { TextEmbedder } from '../../embeddings/embedder.ts';
import { isObject } from '../../model/json.ts';
import { leaseHolds } from '../../store/clocks.ts';
import type { Decision } from '../../store/types.ts';
import * as keys from './keys.ts';
import type { Local } from './session-record.ts';
import { tagOf } from './vector-record.ts';

/** What a store knows of its vectors. There is one model at a time, and one process that makes vectors. */
export interface Embedding {
  tag: string;
  model: string;
  /** Numbers of a vector, once the endpoint has answered. */
  dimensions?: number | undefined;
  /** Who makes vectors, and until when that counts without being renewed. */
  worker?: string | undefined;
  until?: number | undefined;
  /** Another process has seen more work meanwhile. */
  again?: true | undefined;
  /** All sessions that were written to before this time are done. */
  scanned: number;
  /** While all memories are looked through, the last that is done, at first none. */
  memories?: string | undefined;
  /** When everything was begun to be looked at last. */
  checked: number;
}

/** Milliseconds by which the clocks of servers may differ. */
const clockSkew = 2 * 60_000;
/** Milliseconds after which everything is looked at once more: another program may have stored something. */
const checkEvery = 24 * 60 * 60_000;

export const sinceOf = ({ scanned }: Embedding): number => Math.max(0, scanned - clockSkew);

export const tagOfEmbedder = ({ model, dimensions }: Pick<TextEmbedder, 'model' | 'dimensions'>): string =>
  tagOf(model, dimensions);

function embeddingOf(value: string | undefined): Embedding | undefined {
  if (value === undefined) return undefined;
  const record: unknown = JSON.parse(value);
  return isObject(record) && typeof record.tag === 'string' ? (record as unknown as Embedding) : undefined;
}

export async function readEmbedding({ store }: Local): Promise<Embedding | undefined> {
  const [value] = await store.get([keys.embeddingKey]);
  return embeddingOf(value);
}

/** Changes the record of the model in one update. What `change` answers is stored, unless it is undefined. */
function changeEmbedding<T>(
  { store }: Local,
  change: (record: Embedding | undefined) => { result: T; record?: Embedding | undefined },
): Promise<T> {
  return store.update([keys.embeddingKey], ([value]): Decision<T> => {
    const { result, record } = change(embeddingOf(value));
    const writes = record === undefined ? [] : [{ key: keys.embeddingKey, value: JSON.stringify(record) }];
    return { result, writes };
  });
}

/** Makes a model that of the store: all texts are to be given vectors of it. */
export function claimModel(
  local: Local,
  embedder: Pick<TextEmbedder, 'model' | 'dimensions'>,
): Promise<void> {
  const { model, dimensions } = embedder;
  const tag = tagOfEmbedder(embedder);
  const now = local.now();
  return changeEmbedding(local, (record) =>
    record?.tag === tag
      ? { result: undefined }
      : { result: undefined, record: { tag, model, dimensions, scanned: 0, memories: '', checked: now } },
  );
}

/** The record at the beginning of a round; undefined when the store has another model by now. */
export function beginRound(local: Local, tag: string): Promise<Embedding | undefined> {
  const now = local.now();
  return changeEmbedding(local, (record) => {
    if (record?.tag !== tag) return { result: undefined };
    if (now - record.checked < checkEvery) return { result: record };
    const all: Embedding = { ...record, scanned: 0, memories: '', checked: now };
    return { result: all, record: all };
  });
}

/** Whose turn it is to make vectors, so that several processes do not pay for the same. */
export interface Lease {
  tag: string;
  worker: string;
  ms: number;
}

/** Takes or renews the lease, and notes progress. False when another process holds it, which is told that there is more. */
export function takeLease(
  local: Local,
  { tag, worker, ms }: Lease,
  progress: Pick<Embedding, 'memories'>,
): Promise<boolean> {
  const now = local.now();
  return changeEmbedding(local, (record) => {
    if (record?.tag !== tag) return { result: false };
    if (record.worker !== undefined && record.worker !== worker && leaseHolds(record.until ?? 0, now))
      return { result: false, record: record.again === true ? undefined : { ...record, again: true } };
    const again = record.worker === worker ? record.again : undefined;
    return { result: true, record: { ...record, ...progress, worker, until: now + ms, again } };
  });
}

/**
 * Ends a round that began at `since`, with the time up to which all sessions are done. True when another process has
 * seen more work meanwhile.
 */
export function endRound(
  local: Local,
  { tag, worker }: Lease,
  progress: Pick<Embedding, 'memories'> & { since: number; scanned: number },
): Promise<boolean> {
  return changeEmbedding(local, (record) => {
    if (record?.tag !== tag) return { result: false };
    const ours = record.worker === worker;
    if (!ours && record.worker !== undefined) return { result: false };
    const { worker: _worker, until: _until, again, ...rest } = record;
    // A session that appeared meanwhile, and says that it is older, is for the next round.
    const scanned = rest.scanned < progress.since ? rest.scanned : progress.scanned;
    return { result: again === true, record: { ...rest, memories: progress.memories, scanned } };
  });
}

/** Looks at sessions once more that were written to since a time. */
export const lookBack = (local: Local, tag: string, since: number): Promise<void> =>
  changeEmbedding(local, (record) =>
    record?.tag === tag && record.scanned > since
      ? { result: undefined, record: { ...record, scanned: since } }
      : { result: undefined },
  );

/** The vectors that are of one length from now on; the endpoint's first answer decides. */
export const learnDimensions = (local: Local, tag: string, dimensions: number): Promise<void> =>
  changeEmbedding(local, (record) =>
    record?.tag === tag && record.dimensions === undefined
      ? { result: undefined, record: { ...record, dimensions } }
      : { result: undefined },
  );
