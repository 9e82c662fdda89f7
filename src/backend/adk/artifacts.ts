import { SessionError } from '../../errors.ts';
import type { Artifact } from '../../model/artifact.ts';
import { checkId } from '../../model/ids.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { lostAnswer } from '../../net/retry.ts';
import { path } from '../../net/url.ts';
import { artifactNotFound } from '../shared/errors.ts';
import type { ArtifactContent, NewArtifact, SessionRef } from '../types.ts';
import type { Adk } from './client.ts';
import { notAdk } from './errors.ts';
import { sha256Of, toArtifact, toInlineData, toSavedArtifact } from './map-session.ts';
import { checked, checkSlash, sessionPath } from './paths.ts';
import { readSession } from './read-session.ts';

/** The highest version number that is tried where a server does not list versions. */
const mostVersions = 65_536;

const artifactsPath = async (adk: Adk, ref: SessionRef): Promise<string> =>
  `${await sessionPath(adk, checked(ref))}/artifacts`;

/**
 * Reads artifacts and checks at the same time that their session exists: servers also answer for artifacts of sessions
 * that were deleted or never created. What was read is returned only if there is a session.
 */
async function besideSession<T>(adk: Adk, ref: SessionRef, read: () => Promise<T>): Promise<T> {
  const reading = read();
  reading.catch(() => {});
  await readSession(adk, ref);
  return reading;
}

async function artifactPath(adk: Adk, parent: string, name: string): Promise<string> {
  checkSlash((await adk.dialect()).slashInArtifacts, 'name', checkId('name', name));
  return parent + path`/${name}`;
}

async function load(
  adk: Adk,
  place: string,
  name: string,
  version: number,
): Promise<ArtifactContent | undefined> {
  const wire = await get(adk, `${place}/versions/${version}`);
  return wire === undefined ? undefined : toArtifact(wire, name, version);
}

/** The answer, or undefined when there is nothing at this path. */
async function get(adk: Adk, url: string): Promise<unknown> {
  try {
    return (await adk.gate(() => adk.http.json({ method: 'GET', path: url, retry: 'read' }))) ?? undefined;
  } catch (error) {
    if (error instanceof SessionError && error.code === 'NOT_FOUND') return undefined;
    throw error;
  }
}

async function loadLatest(adk: Adk, place: string, name: string): Promise<ArtifactContent | undefined> {
  const dialect = await adk.dialect();
  if (!dialect.listsVersions) return searchLatest(adk, place, name, dialect.firstVersion);
  const versions = await get(adk, `${place}/versions`);
  const latest = Array.isArray(versions)
    ? Math.max(-1, ...versions.map(Number).filter(Number.isInteger))
    : -1;
  return latest < 0 ? undefined : load(adk, place, name, latest);
}

/** Finds the last version by doubling and then halving: version numbers have no gaps. */
async function searchLatest(
  adk: Adk,
  place: string,
  name: string,
  first: number,
): Promise<ArtifactContent | undefined> {
  let found = await load(adk, place, name, first);
  let low = first;
  let high = first + 1;
  for (; found !== undefined && high < mostVersions; high = low * 2) {
    const next = await load(adk, place, name, high);
    if (next === undefined) break;
    found = next;
    low = high;
  }
  while (found !== undefined && high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    const next = await load(adk, place, name, middle);
    if (next === undefined) high = middle;
    else low = middle;
    found = next ?? found;
  }
  return found;
}

/** The server lists only names. Version, type and size come from each artifact's content, read one after another. */
export async function listArtifacts(adk: Adk, ref: SessionRef, query: PageQuery): Promise<Page<Artifact>> {
  const parent = await artifactsPath(adk, ref);
  const answer = (await besideSession(adk, ref, () => get(adk, parent))) ?? [];
  if (!Array.isArray(answer)) throw notAdk();
  const { cursor } = query;
  const names = [...new Set(answer.map(String))]
    .sort()
    .filter((name) => cursor === undefined || name > cursor);
  const page = names.slice(0, query.pageSize);
  const items: Artifact[] = [];
  for (const name of page) {
    const latest = await loadLatest(adk, await artifactPath(adk, parent, name), name);
    // An artifact that was deleted meanwhile is left out.
    if (latest !== undefined) items.push(latest.artifact);
  }
  return { items, cursor: names.length > page.length ? page.at(-1) : undefined };
}

export async function getArtifact(
  adk: Adk,
  ref: SessionRef,
  name: string,
  version?: number,
): Promise<ArtifactContent> {
  const place = await artifactPath(adk, await artifactsPath(adk, ref), name);
  const { firstVersion } = await adk.dialect();
  if (version !== undefined && (!Number.isSafeInteger(version) || version < firstVersion))
    throw artifactNotFound();
  const content = await besideSession(adk, ref, () =>
    version === undefined ? loadLatest(adk, place, name) : load(adk, place, name, version),
  );
  if (content === undefined) throw artifactNotFound();
  return content;
}

export async function saveArtifact(adk: Adk, ref: SessionRef, input: NewArtifact): Promise<Artifact> {
  checkId('name', input.name);
  await adk.dialectToWrite();
  const parent = await artifactsPath(adk, ref);
  // The name is sent in the body, but is refused when it could not be read back by its path.
  await artifactPath(adk, parent, input.name);
  await readSession(adk, ref);
  const wire = await adk.http.json({
    method: 'POST',
    path: parent,
    body: { filename: input.name, artifact: toInlineData(input.mimeType, input.data) },
    retry: 'quota',
    lookWith: 'list_artifacts',
  });
  const saved = toSavedArtifact(wire, {
    name: input.name,
    mimeType: input.mimeType,
    sizeBytes: input.data.length,
    sha256: sha256Of(input.data),
  });
  if (saved === undefined) throw lostAnswer(notAdk(), 'list_artifacts');
  return saved;
}
