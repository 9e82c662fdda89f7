import type { Artifact } from '../../model/artifact.ts';
import { compact } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Session } from '../../model/session.ts';
import type { App } from '../types.ts';
import { idField, ownerField } from './filter.ts';
import { labelsOf } from './labels.ts';
import { aliasApp, separateKey } from './paths.ts';
import { numberField, objectField, textField, timeField } from './wire.ts';

/** The owner of the session; undefined when it has none. */
export function ownerOf(wire: JsonObject): string | undefined {
  const metadata = objectField(wire, 'metadata');
  const owner = metadata && Object.hasOwn(metadata, ownerField) ? textField(metadata, ownerField) : undefined;
  return owner === '' ? undefined : owner;
}

/** A session's state: its metadata without the fields that hold the owner and the caller's id. */
export function stateOf(wire: JsonObject): JsonObject {
  const { [ownerField]: _owner, [idField]: _id, ...state } = objectField(wire, 'metadata') ?? {};
  return state;
}

/** The id under which callers know a session: its key, or the id that `separateKey` made a key for. */
function idOf(wire: JsonObject, userId: string): string | undefined {
  const key = textField(wire, 'key');
  const id = textField(objectField(wire, 'metadata') ?? {}, idField);
  return id !== undefined && key === separateKey(userId, id) ? id : key;
}

/**
 * Maps a session (docs/protocols/vectara.md, "Sessions"); undefined for a session without an owner. Vectara keeps
 * no time of the last change, so `updateTime` is the time of creation.
 */
export function toSession(wire: JsonObject, app: string): Session | undefined {
  const userId = ownerOf(wire);
  const id = userId === undefined ? undefined : idOf(wire, userId);
  if (userId === undefined || id === undefined) return undefined;
  const name = textField(wire, 'name');
  const createTime = timeField(wire, 'created_at');
  return compact({
    id,
    app,
    userId,
    displayName: name === '' ? undefined : name,
    description: textField(wire, 'description') || undefined,
    labels: labelsOf(wire),
    state: stateOf(wire),
    createTime,
    updateTime: createTime,
  });
}

/** An agent (`kind` agent) or an alias as an app (docs/protocols/vectara.md, "Access"). */
export function toApp(wire: JsonObject, kind: 'agent' | 'alias'): App | undefined {
  const key = textField(wire, 'key');
  if (key === undefined) return undefined;
  return compact({
    name: kind === 'alias' ? aliasApp(key) : key,
    displayName: textField(wire, 'name'),
    description: textField(wire, 'description'),
    createTime: wire.created_at === undefined ? undefined : timeField(wire, 'created_at'),
    updateTime: wire.updated_at === undefined ? undefined : timeField(wire, 'updated_at'),
  });
}

const artifactIdPattern = /^art_[a-z0-9_-]{1,200}$/;

/**
 * The name of an artifact: its id and its file name. Two files of a session may have the same file name, so only
 * the id identifies one.
 */
export function artifactName(wire: JsonObject): string | undefined {
  const id = textField(wire, 'artifact_id');
  if (id === undefined || !artifactIdPattern.test(id)) return undefined;
  const filename = textField(wire, 'filename');
  return filename === undefined || filename === '' ? id : `${id}/${filename}`;
}

/** The id in an artifact's name, or undefined when there is none in it. */
export function artifactIdOf(name: string): string | undefined {
  const id = name.split('/', 1)[0] ?? '';
  return artifactIdPattern.test(id) ? id : undefined;
}

/** An artifact without its content (docs/protocols/vectara.md, "Artifacts"). Vectara has one version of each: 0. */
export function toArtifact(wire: JsonObject): Artifact | undefined {
  const name = artifactName(wire);
  if (name === undefined) return undefined;
  return compact({
    name,
    version: 0,
    mimeType: textField(wire, 'mime_type') ?? 'application/octet-stream',
    sizeBytes: Math.max(0, Math.trunc(numberField(wire, 'size_bytes') ?? 0)),
    sha256: sha256Of(wire),
    createTime: timeField(wire, 'created_at'),
  });
}

/** The checksum in hexadecimal. Vectara's texts do not say whether it is sent so or in base64; both are read. */
export function sha256Of(wire: JsonObject): string | undefined {
  const text = textField(wire, 'checksum_sha256') ?? '';
  if (/^[0-9a-f]{64}$/i.test(text)) return text.toLowerCase();
  return /^[A-Za-z0-9+/]{43}=$/.test(text) ? Buffer.from(text, 'base64').toString('hex') : undefined;
}
