import type { Memory, MemoryScope } from '../../model/memory.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import type { EventQuery } from './events.ts';
import type { Owner, SessionRef } from './owner.ts';

/** Which memories of an owner: those of sessions, those of a scope, or those of both. */
export interface MemoryChoice {
  sessionIds?: readonly string[] | undefined;
  scope?: MemoryScope | undefined;
}

/** Which facts are made of a session: all that are new, or those of a range of events, where these have numbers. */
export interface FactChoice {
  scope?: MemoryScope | undefined;
  numbers?: EventQuery['numbers'];
}

export interface MemoryAddition {
  memories: Memory[];
  /** How many facts were made; `memories` may show fewer. */
  count: number;
  /** One sentence on how the facts were made, since services differ. */
  note: string;
}

export interface MemoryVerbs {
  /** Best first. */
  search?(
    owner: Owner,
    query: { text: string; limit: number; scope?: MemoryScope | undefined },
  ): Promise<Memory[]>;
  addSession?(ref: SessionRef, options: FactChoice): Promise<MemoryAddition>;
  /** How many facts `addSession` would make. */
  countFacts?(ref: SessionRef, options: FactChoice): Promise<number>;
  count?(owner: Owner, which: MemoryChoice): Promise<number>;
  /** Deletes all that `count` counts; how many there were. */
  deleteAll?(owner: Owner, which: MemoryChoice): Promise<number>;
  create?(owner: Owner, memory: { fact: string; scope?: MemoryScope | undefined }): Promise<Memory>;
  list?(owner: Owner, query: PageQuery & { scope?: MemoryScope | undefined }): Promise<Page<Memory>>;
  delete?(owner: Owner, memoryId: string): Promise<void>;
}
