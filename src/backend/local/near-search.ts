import type { Near } from '../../embeddings/nearest.ts';
import type { Owner } from '../types.ts';

/** What is searched by meaning: the events of a user's sessions by session, or a user's memories by scope. */
export type VectorKind = 'events' | 'memories';

export interface NearQuery {
  text: string;
  limit: number;
  /** One session by its uid, or one scope. */
  group?: string | undefined;
}

/** Search by meaning, over vectors of an embeddings endpoint. */
export interface NearSearch {
  /**
   * The texts of an owner that mean most nearly the same as a query, best first; of all groups, or of one. None where
   * they cannot be had soon: a search is not kept waiting. What is gone or hidden meanwhile may be among them.
   */
  nearest(owner: Owner, kind: VectorKind, query: NearQuery): Promise<Near[]>;
  /** What `nearest` found is not there any more. */
  forget(owner: Owner, kind: VectorKind, group: string, id?: string): void;
  /** A session appears now that says it was written at an earlier time: when its making began. */
  appeared(updated: number): Promise<void>;
}
