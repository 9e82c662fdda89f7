import { createHash } from 'node:crypto';
import { SessionError } from '../../errors.ts';
import type { Artifact } from '../../model/artifact.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { path } from '../../net/url.ts';
import type { ArtifactContent, SessionRef } from '../types.ts';
import { objectOf, type Vectara } from './client.ts';
import { notFound } from './errors.ts';
import { readAll, readPage } from './list-pages.ts';
import { artifactIdOf, sha256Of, toArtifact } from './map-session.ts';
import { besideOwner } from './own-session.ts';
import { sessionPath } from './paths.ts';
import { numberField, textField } from './wire.ts';

/** Most pages of 100 artifacts that are searched for one artifact. */
const artifactPages = 20;

const newestFirst = { sort_by: 'created_at', order_by: 'desc' };

const artifactsOf = (at: SessionRef) =>
  ({ name: 'listArtifacts', path: `${sessionPath(at)}/artifacts`, field: 'artifacts' }) as const;

/** Newest first, as Vectara lists them. */
export async function listArtifacts(
  vectara: Vectara,
  ref: SessionRef,
  query: PageQuery,
): Promise<Page<Artifact>> {
  const { read: page } = await besideOwner(vectara, ref, (at) =>
    readPage(vectara, {
      ...artifactsOf(at),
      params: { ...newestFirst, limit: query.pageSize, page_key: query.cursor },
    }),
  );
  return {
    items: page.items.map(toArtifact).filter((artifact) => artifact !== undefined),
    cursor: page.next,
  };
}

/**
 * Reads an artifact with its content. It is found by its name, by its id, or by a file name (the newest of that
 * name). Vectara sends a file only whole, as base64 in JSON, so the list is asked for its size first
 * (docs/protocols/vectara.md, "Artifacts").
 */
export async function getArtifact(
  vectara: Vectara,
  ref: SessionRef,
  name: string,
  version?: number,
): Promise<ArtifactContent> {
  const { at, read: listed } = await besideOwner(vectara, ref, (below) => findArtifact(vectara, below, name));
  if (version !== undefined && version !== 0) throw notFound('artifact');
  const limit = vectara.settings.maxArtifactBytes;
  checkSize(numberField(listed, 'size_bytes') ?? 0, limit);
  const id = textField(listed, 'artifact_id') ?? '';
  const promisedHere = sha256Of(listed);
  const known = `${sessionPath(at)}/${id}/${promisedHere ?? ''}`;
  const held = vectara.heldFile();
  if (promisedHere !== undefined && held?.key === known) return held.content;
  const wire = objectOf(
    await vectara.file('getArtifact', {
      method: 'GET',
      path: sessionPath(at) + path`/artifacts/${id}`,
      retry: 'read',
    }),
  );
  const artifact = toArtifact({ ...listed, ...wire });
  const encoded = textField(wire, 'data');
  if (textField(wire, 'artifact_id') !== id || artifact === undefined || encoded === undefined)
    throw notFound('artifact');
  const data = Buffer.from(encoded, 'base64');
  checkSize(data.length, limit);
  const sha256 = createHash('sha256').update(data).digest('hex');
  const promised = promisedHere ?? sha256Of(wire);
  if (promised !== undefined && promised !== sha256)
    throw new SessionError('UNAVAILABLE', 'The artifact arrived damaged: its checksum does not match.', {
      hint: 'Try again; if it stays so, the artifact is damaged at Vectara.',
    });
  const content = { artifact: { ...artifact, sizeBytes: data.length, sha256 }, data };
  // Callers read a large file piece by piece, and Vectara sends it only whole: it is kept for the next piece.
  vectara.holdFile({ key: known, content });
  return content;
}

async function findArtifact(vectara: Vectara, at: SessionRef, name: string): Promise<JsonObject> {
  const id = artifactIdOf(name);
  const all = readAll(
    vectara,
    { ...artifactsOf(at), params: newestFirst },
    { maxPages: artifactPages, tooMany: () => notFound('artifact') },
  );
  for await (const wire of all) {
    const artifact = toArtifact(wire);
    if (artifact === undefined) continue;
    if (artifact.name === name || textField(wire, 'artifact_id') === name) return wire;
    if (id === undefined && textField(wire, 'filename') === name) return wire;
  }
  throw notFound('artifact');
}

function checkSize(bytes: number, limit: number): void {
  if (bytes > limit)
    throw new SessionError('RESOURCE_EXHAUSTED', 'The artifact is larger than this server fetches.', {
      hint: 'Get it from Vectara directly, or ask the operator to raise the limit for artifacts.',
      details: { sizeBytes: bytes, maxBytes: limit },
    });
}
