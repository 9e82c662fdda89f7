import type { Artifact } from '../../model/artifact.ts';
import type { Event } from '../../model/event.ts';
import type { Session } from '../../model/session.ts';
import { splitState } from '../../model/state.ts';
import { CallFailure } from '../bridge/types.ts';
import { base64Of } from '../model/base64.ts';
import { readArtifact } from './artifacts.ts';
import type { Calls } from './calls.ts';
import { readPages } from './pages.ts';
import { argsOf, type Ref } from './refs.ts';

/**
 * A session as JSON Lines, as `agent-sessions-mcp import` takes it (docs/export-import.md, format 2): the session, its
 * events with hidden ones, its files in all versions, and the end with a hash.
 */
export async function exportSession(calls: Calls, ref: Ref): Promise<Uint8Array<ArrayBuffer>> {
  const args = argsOf(ref);
  const { session } = await calls.read<{ session: Session }>('get_session', { ...args, view: 'full' });
  const events = await readPages<Event>(calls, 'list_events', 'events', {
    ...args,
    includeHidden: true,
    view: 'full',
  });
  const files = calls.has('list_artifacts')
    ? await readPages<Artifact>(calls, 'list_artifacts', 'artifacts', args)
    : [];
  // Files and state that sessions share stay behind, as in every export.
  const own = files.filter(({ name }) => !name.startsWith('user:'));
  const { session: state } = splitState(session.state ?? {});
  const lines: object[] = [
    {
      kind: 'session',
      format: 2,
      contents: { events: events.length, artifacts: own.length },
      session: { ...session, state },
    },
    ...events.map((event) => ({ kind: 'event', event })),
  ];
  let versions = 0;
  for (const { name, version: latest } of own)
    for (let version = 0; version <= latest; version += 1) {
      const content = await readArtifact(calls, ref, name, version).catch((error: unknown) => {
        // Numbers begin at 0 or 1 and may have gaps.
        if (error instanceof CallFailure && error.code === 'NOT_FOUND' && version < latest) return undefined;
        throw error;
      });
      if (content === undefined) continue;
      if (!content.isWhole)
        throw new CallFailure('RESOURCE_EXHAUSTED', 'A file is too large to be saved from this page.', {
          hint: 'Use `agent-sessions-mcp export`.',
        });
      versions += 1;
      lines.push({ kind: 'artifact', artifact: content.artifact, data: base64Of(content.bytes) });
    }
  const body = new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', body));
  const sha256 = [...hash].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const counts = { session: 1, event: events.length, artifact: versions };
  const end = new TextEncoder().encode(`${JSON.stringify({ kind: 'end', counts, sha256 })}\n`);
  const file = new Uint8Array(body.length + end.length);
  file.set(body);
  file.set(end, body.length);
  return file;
}
