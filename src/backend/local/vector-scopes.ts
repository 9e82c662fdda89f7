import { type VectorSet, vectorSet } from '../../embeddings/vector-set.ts';
import type { Owner } from '../types.ts';
import * as keys from './keys.ts';
import type { VectorKind } from './near-search.ts';
import type { Local } from './session-record.ts';
import { changesSince, logOf, markOf, type VectorLog, vectorOf } from './vector-record.ts';

/** The model whose vectors are compared. */
interface VectorModel {
  tag: string;
  dimensions: number;
}

/** Bytes of one user's vectors that are compared at most: of more the newest. That is a tenth of a second's work. */
const bytesOfScope = 96 * 1024 * 1024;
/** Bytes of all vectors in memory: those that were not searched for the longest time go first. */
const bytesOfAll = 256 * 1024 * 1024;
const rowsAtOnce = 500;

interface Scope {
  known: Pick<VectorLog, 'id' | 'count'>;
  groups: Map<string, { set: VectorSet; edits: number }>;
}

/** The vectors of the users who search, in memory; read once, and then only what has been made since. */
export interface VectorScopes {
  /** The vectors of an owner by group, as they are stored now. */
  load(owner: Owner, kind: VectorKind, model: VectorModel): Promise<Map<string, { set: VectorSet }>>;
  /** Leaves out what is not there any more. */
  forget(owner: Owner, kind: VectorKind, group: string, id?: string): void;
}

export function vectorScopes(local: Local): VectorScopes {
  const { store } = local;
  // The one that was used last comes last.
  const scopes = new Map<string, { tag: string; loading: Promise<Scope>; scope?: Scope }>();
  const nameOf = (owner: Owner, kind: VectorKind) => `${kind} ${keys.vectorLogKey(owner)}`;

  async function load(
    owner: Owner,
    kind: VectorKind,
    model: VectorModel,
    before: Scope | undefined,
  ): Promise<Scope> {
    const [value] = await store.get([keys.vectorLogKey(owner)]);
    const log = logOf(value);
    if (log === undefined) return { known: { id: '', count: 0 }, groups: new Map() };
    const known = { id: log.id, count: log.count };
    const changed = before === undefined ? undefined : changesSince(log, before.known);
    const scope: Scope =
      before !== undefined && changed !== undefined
        ? { known, groups: before.groups }
        : { known, groups: new Map() };
    if (kind === 'events') await loadSessions(owner, model, scope, changed);
    else if (changed === undefined) await loadMemories(owner, model, scope);
    else await addMemories(owner, model, scope, changed);
    return scope;
  }

  async function loadSessions(
    owner: Owner,
    model: VectorModel,
    scope: Scope,
    changed: readonly string[] | undefined,
  ): Promise<void> {
    if (changed !== undefined) {
      const marks = await store.get(changed.map((uid) => keys.vectorMarkKey(owner, uid)));
      for (const [i, uid] of changed.entries()) await loadSession(uid, model, scope, marks[i]);
      return;
    }
    const prefix = keys.vectorMarks(owner);
    let bytes = 0;
    for (let before: string | undefined; bytes < bytesOfScope; ) {
      // Uids begin with the time of their making.
      const rows = await store.range({ prefix, before, limit: rowsAtOnce, reverse: true });
      before = rows.at(-1)?.key;
      if (before === undefined) return;
      for (const { key, value } of rows) {
        if (bytes >= bytesOfScope) return;
        const uid = keys.partsOf(key).at(-1) ?? '';
        await loadSession(uid, model, scope, value);
        bytes += scope.groups.get(uid)?.set.bytes ?? 0;
      }
    }
  }

  async function loadSession(
    uid: string,
    { tag, dimensions }: VectorModel,
    { groups }: Scope,
    mark: string | undefined,
  ): Promise<void> {
    const edits = markOf(tag, mark)?.edits;
    const there = groups.get(uid);
    // In a session that was edited, vectors may have come between others.
    const set = there !== undefined && there.edits === edits ? there.set : vectorSet(dimensions);
    if (edits === undefined) groups.delete(uid);
    else groups.set(uid, { set, edits });
    if (edits === undefined) return;
    const prefix = keys.vectors(uid);
    for (let after = set.last === undefined ? undefined : prefix + set.last; ; ) {
      const rows = await store.range({ prefix, after, limit: rowsAtOnce });
      after = rows.at(-1)?.key;
      if (after === undefined) return;
      for (const { key, value } of rows) {
        const vector = vectorOf(tag, value);
        if (vector !== undefined) set.add(key.slice(prefix.length), vector.direction);
      }
    }
  }

  function addMemory({ tag, dimensions }: VectorModel, { groups }: Scope, id: string, value: string): void {
    const vector = vectorOf(tag, value);
    if (vector === undefined) return;
    const { group, direction } = vector;
    const { set } = groups.get(group) ?? { set: vectorSet(dimensions) };
    groups.set(group, { set, edits: 0 });
    set.add(id, direction);
  }

  async function loadMemories(owner: Owner, model: VectorModel, scope: Scope): Promise<void> {
    const prefix = keys.memoryVectors(owner);
    for (let before: string | undefined; bytesOf(scope) < bytesOfScope; ) {
      const rows = await store.range({ prefix, before, limit: rowsAtOnce, reverse: true });
      before = rows.at(-1)?.key;
      if (before === undefined) return;
      for (const { key, value } of rows) addMemory(model, scope, keys.partsOf(key).at(-1) ?? '', value);
    }
  }

  async function addMemories(
    owner: Owner,
    model: VectorModel,
    scope: Scope,
    ids: readonly string[],
  ): Promise<void> {
    const values = await store.get(ids.map((id) => keys.memoryVectorKey(owner, id)));
    for (const [i, id] of ids.entries()) if (values[i] !== undefined) addMemory(model, scope, id, values[i]);
  }

  function makeRoom(kept: string): void {
    let bytes = 0;
    for (const { scope } of scopes.values()) bytes += scope === undefined ? 0 : bytesOf(scope);
    for (const [name, { scope }] of scopes) {
      if (bytes <= bytesOfAll) return;
      if (name === kept || scope === undefined) continue;
      bytes -= bytesOf(scope);
      scopes.delete(name);
    }
  }

  return {
    async load(owner, kind, model) {
      const name = nameOf(owner, kind);
      const before = scopes.get(name);
      const last = before?.tag === model.tag ? before.loading.catch(() => undefined) : undefined;
      const loading = Promise.resolve(last).then((scope) => load(owner, kind, model, scope));
      const entry: { tag: string; loading: Promise<Scope>; scope?: Scope } = { tag: model.tag, loading };
      scopes.delete(name);
      scopes.set(name, entry);
      try {
        entry.scope = await loading;
      } catch (error) {
        // What a reading that failed has left is not relied on.
        if (scopes.get(name) === entry) scopes.delete(name);
        throw error;
      }
      makeRoom(name);
      return entry.scope.groups;
    },
    forget(owner, kind, group, id) {
      const groups = scopes.get(nameOf(owner, kind))?.scope?.groups;
      if (id === undefined) groups?.delete(group);
      else groups?.get(group)?.set.remove(id);
    },
  };
}

function bytesOf({ groups }: Scope): number {
  let bytes = 0;
  for (const { set } of groups.values()) bytes += set.bytes;
  return bytes;
}
