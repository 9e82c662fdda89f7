import type { Voice } from './server.ts';

const html = (path: string) =>
  `<!DOCTYPE html>\n<html lang="en"><body><pre>Cannot GET ${path.replaceAll('<', '&lt;')}</pre></body></html>`;

/** Answers as recorded from @google/adk-devtools 2.0.0. */
export const typescript: Voice = {
  prefix: '',
  version: { status: 200, body: { version: '2.0.0' } },
  unknownRoute: (path) => ({ status: 404, body: html(path), type: 'text/html; charset=utf-8' }),
  keepsSlash: true,
  firstVersion: 0,
  session: (session, core) => ({
    id: session.id,
    appName: session.app,
    userId: session.userId,
    state: core.stateOf(session),
    events: session.events.map(typescript.event),
    lastUpdateTime: session.updated,
  }),
  listed: (sessions) => ({
    sessions: sessions.map((session) => ({ ...session, state: {} })),
    page: 1,
    limit: sessions.length,
    totalItems: sessions.length,
    totalPages: 1,
  }),
  event: (event) => ({
    ...event,
    actions: { ...event.actions, requestedToolConfirmations: {} },
    longRunningToolIds: event.longRunningToolIds ?? [],
  }),
  missing: (what) =>
    what === 'artifact'
      ? { status: 404, body: { error: 'Artifact not found' } }
      : { status: 404, body: { error: `Session not found: ${what.slice('session '.length)}` } },
  create(core, owner, id, body) {
    if (id !== undefined && core.find(owner, id) !== undefined)
      return { status: 400, body: { error: `Session already exists: ${id}` } };
    return core.create(owner, id, (body.state ?? {}) as Record<string, unknown>, false);
  },
  deleted: (existed, id) =>
    existed ? { status: 204 } : { status: 404, body: { error: `Session not found: ${id}` } },
  versions: (numbers) => ({ status: 200, body: numbers }),
  missingRun: (id) => ({ status: 404, body: { error: `Session not found: ${id}` } }),
  frames: (event) => [`data: ${JSON.stringify(event)}\n\n`],
  errorFrame: (message) => `data: ${JSON.stringify({ error: message })}\n\n`,
  runsOnAfterDisconnect: true,
};
