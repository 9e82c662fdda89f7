import { createHash } from 'node:crypto';
import type { Artifact } from '../../model/artifact.ts';
import { compact } from '../../model/event.ts';
import { canonicalJson, isObject, type JsonObject } from '../../model/json.ts';
import { previewOf, type Session } from '../../model/session.ts';
import { toTime } from '../../model/time.ts';
import type { ArtifactContent, Owner } from '../types.ts';
import { toEvent, toPart } from './map-event.ts';
import { timeOf } from './map-time.ts';
import { withoutMark } from './run-mark.ts';
import type { WireSession } from './wire.ts';

/** The time of the last write to a session; the epoch when the server does not tell it. */
function updateTimeOf(wire: WireSession): string {
  return timeOf(wire.lastUpdateTime) ?? timeOf(wire.events.at(-1)?.timestamp) ?? toTime(0);
}

/** The id and the time that an event gets when it has none. */
export const fallbackOf = (wire: WireSession, index: number): { id: string; timestamp: string } => ({
  id: `#${index}`,
  timestamp: updateTimeOf(wire),
});

/**
 * Maps a session that was read with its events. ADK keeps no creation time: the time of the first event takes its
 * place, or without events the time of the last write.
 */
export function toSession(wire: WireSession, owner: Owner): Session {
  const last = wire.events.at(-1);
  const updateTime = updateTimeOf(wire);
  const first = timeOf(wire.events[0]?.timestamp);
  return {
    ...toListedSession(wire, owner),
    state: stateOf(wire),
    createTime: first !== undefined && first < updateTime ? first : updateTime,
    eventCount: wire.events.length,
    ...(last === undefined
      ? {}
      : { lastEvent: previewOf(toEvent(last, fallbackOf(wire, wire.events.length - 1))) }),
  };
}

/** Maps a session of a list. Servers list sessions without events, and some without state. */
export function toListedSession(wire: WireSession, owner: Owner): Session {
  const state = stateOf(wire);
  const updateTime = updateTimeOf(wire);
  const { displayName } = metadataOf(rawState(wire));
  return {
    id: wire.id,
    app: owner.app,
    userId: owner.userId,
    ...(typeof displayName === 'string' && displayName !== '' ? { displayName } : {}),
    ...(Object.keys(state).length === 0 ? {} : { state }),
    createTime: updateTime,
    updateTime,
  };
}

/**
 * The state key in which ADK's web page (adk-web) keeps a session's `{displayName}`. Using the same key shows the
 * name in both places.
 */
const metadataKey = '__session_metadata__';

const rawState = (wire: JsonObject): JsonObject => (isObject(wire.state) ? wire.state : {});

function metadataOf(state: JsonObject): JsonObject {
  const metadata = Object.hasOwn(state, metadataKey) ? state[metadataKey] : undefined;
  return isObject(metadata) ? metadata : {};
}

/** The state delta that sets a session's name and keeps what else adk-web stored with it. */
export function nameState(displayName: string, before: JsonObject): JsonObject {
  return { [metadataKey]: { ...metadataOf(rawState(before)), displayName } };
}

/** Whether a server's answer contains the state that was sent, the name included. */
export function shows(wire: JsonObject, sent: JsonObject): boolean {
  return holds(rawState(wire), sent);
}

export function stateOf(wire: JsonObject): JsonObject {
  const { [metadataKey]: _metadata, ...state } = withoutTemp(rawState(wire));
  return withoutMark(state);
}

export function withoutTemp(state: JsonObject): JsonObject {
  return Object.fromEntries(Object.entries(state).filter(([key]) => !key.startsWith('temp:')));
}

/** Whether a state contains what was asked for. Servers may leave out a key whose value is null. */
function holds(state: JsonObject, wanted: JsonObject): boolean {
  return Object.entries(wanted).every(([key, value]) =>
    Object.hasOwn(state, key) ? canonicalJson(state[key]) === canonicalJson(value) : value === null,
  );
}

/**
 * The content of an artifact, from the part that ADK keeps it in. A part that only refers to a file gives that
 * file's address, as `text/uri-list`. Undefined for a part without content.
 */
export function toArtifact(wire: unknown, name: string, version: number): ArtifactContent | undefined {
  const part = toPart(wire);
  const content =
    part?.inlineData !== undefined
      ? { mimeType: part.inlineData.mimeType, data: Buffer.from(part.inlineData.data, 'base64') }
      : part?.fileData !== undefined
        ? { mimeType: 'text/uri-list', data: Buffer.from(part.fileData.fileUri) }
        : part?.text !== undefined
          ? { mimeType: 'text/plain', data: Buffer.from(part.text) }
          : undefined;
  if (content === undefined) return undefined;
  const { mimeType, data } = content;
  return {
    artifact: { name, version, mimeType, sizeBytes: data.length, sha256: sha256Of(data) },
    data,
  };
}

export const sha256Of = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** Maps the answer to saving an artifact, an ArtifactVersion of adk-python. */
export function toSavedArtifact(wire: unknown, saved: Omit<Artifact, 'version'>): Artifact | undefined {
  if (!isObject(wire) || !Number.isInteger(wire.version)) return undefined;
  return compact({
    name: saved.name,
    version: Number(wire.version),
    mimeType: saved.mimeType,
    sizeBytes: saved.sizeBytes,
    sha256: saved.sha256,
    createTime: timeOf(wire.createTime),
  });
}

export const toInlineData = (mimeType: string, data: Buffer): JsonObject => ({
  inlineData: { mimeType, data: data.toString('base64') },
});
