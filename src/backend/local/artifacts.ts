import { createHash } from 'node:crypto';
import { type Artifact, isUserArtifact } from '../../model/artifact.ts';
import { checkId } from '../../model/ids.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import { toTime } from '../../model/time.ts';
import { artifactNotFound } from '../shared/errors.ts';
import type { ArtifactContent, Guard, NewArtifact, SessionRef } from '../types.ts';
import { checkClaim, renewedBy } from './claim.ts';
import { damaged, parseInside, parseStored } from './damage.ts';
import * as keys from './keys.ts';
import { checkSize, maxArtifactBytes } from './limits.ts';
import { headWrites, type Local, parseHead, readHead, touched, updateNamed } from './session-record.ts';

const placeOf = (ref: SessionRef, uid: string, name: string): keys.ArtifactPlace =>
  isUserArtifact(name) ? keys.userArtifacts(ref) : keys.sessionArtifacts(uid);

const sha256Of = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

interface StoredContent {
  artifact: Artifact;
  /** base64 */
  data: string;
}

export async function saveArtifact(
  local: Local,
  ref: SessionRef,
  input: NewArtifact,
  { claim }: Pick<Guard, 'claim'> = {},
): Promise<Artifact> {
  checkId('name', input.name);
  checkSize(
    'The artifact',
    input.data.length,
    maxArtifactBytes,
    'Split it, or store it elsewhere and save its address.',
  );
  const now = local.now();
  const data = input.data.toString('base64');
  const sha256 = sha256Of(input.data);
  for (;;) {
    const { uid } = await readHead(local, ref);
    const place = placeOf(ref, uid, input.name);
    const saved = await updateNamed(
      local.store,
      { head: keys.headKey(ref), latest: keys.latestKey(place, input.name) },
      ({ head: headValue, latest }) => {
        const head = parseHead(headValue, now);
        if (head.uid !== uid) return { result: undefined, writes: [] };
        checkClaim(head.turn, claim, now);
        const artifact: Artifact = {
          name: input.name,
          version: latest === undefined ? 0 : parseStored<Artifact>('The artifact', latest).version + 1,
          mimeType: input.mimeType,
          sizeBytes: input.data.length,
          sha256,
          createTime: toTime(now),
        };
        return {
          result: artifact,
          writes: [
            ...headWrites(head, { ...touched(head, now), turn: renewedBy(head.turn, claim, now) }),
            { key: keys.latestKey(place, input.name), value: JSON.stringify(artifact) },
            {
              key: keys.contentKey(place, input.name, artifact.version),
              value: JSON.stringify({ artifact, data } satisfies StoredContent),
            },
          ],
        };
      },
    );
    if (saved !== undefined) return saved;
  }
}

export async function getArtifact(
  local: Local,
  ref: SessionRef,
  name: string,
  version?: number,
): Promise<ArtifactContent> {
  checkId('name', name);
  const { uid } = await readHead(local, ref);
  const place = placeOf(ref, uid, name);
  const wanted = version ?? (await latestVersion(local, place, name));
  const [value] = await local.store.get([keys.contentKey(place, name, wanted)]);
  if (value === undefined) throw artifactNotFound();
  const { artifact, data: encoded } = parseInside<StoredContent>('The artifact', value);
  const data = Buffer.from(encoded, 'base64');
  if (artifact.sha256 !== sha256Of(data)) throw damaged('The artifact');
  return { artifact, data };
}

async function latestVersion(local: Local, place: keys.ArtifactPlace, name: string): Promise<number> {
  const [value] = await local.store.get([keys.latestKey(place, name)]);
  if (value === undefined) throw artifactNotFound();
  return parseInside<Artifact>('The artifact', value).version;
}

/** The session's own artifacts first, then the user's; each by name. The cursor is the last key's place. */
export async function listArtifacts(
  local: Local,
  ref: SessionRef,
  query: PageQuery,
): Promise<Page<Artifact>> {
  const { uid } = await readHead(local, ref);
  const prefixes = [keys.sessionArtifacts(uid).latest, keys.userArtifacts(ref).latest];
  const [, part = '0', rest = ''] = /^([01])(.*)$/s.exec(query.cursor ?? '0') ?? [];
  const items: Artifact[] = [];
  let cursor: string | undefined;
  for (const [index, prefix] of prefixes.entries()) {
    if (index < Number(part)) continue;
    const after = index === Number(part) && rest !== '' ? prefix + rest : undefined;
    const rows = await local.store.range({ prefix, after, limit: query.pageSize - items.length + 1 });
    for (const row of rows) {
      if (items.length === query.pageSize) return { items, cursor };
      items.push(parseInside<Artifact>('An artifact', row.value));
      cursor = `${index}${row.key.slice(prefix.length)}`;
    }
  }
  return { items };
}
