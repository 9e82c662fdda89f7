import type { Json } from './core.ts';
import type { Voice } from './server.ts';

/** Spring Boot's own error body, which does not contain the reason of a ResponseStatusException. */
const spring = (status: number, error: string, path: string) => ({
  status,
  body: { timestamp: '2026-11-21T09:00:00.000+00:00', status, error, path },
});

/** adk-java, from dev/src/main/java/com/google/adk/web/controller. */
export const java: Voice = {
  prefix: '',
  version: undefined,
  unknownRoute: (path) => spring(404, 'Not Found', path),
  keepsSlash: false,
  firstVersion: 0,
  session: (session, core) => ({
    id: session.id,
    appName: session.app,
    userId: session.userId,
    state: core.stateOf(session),
    events: session.events.map(java.event),
    lastUpdateTime: session.updated / 1000,
  }),
  listed: (sessions) => sessions,
  event: (event) => ({ ...event, longRunningToolIds: event.longRunningToolIds ?? [] }),
  missing: () => spring(404, 'Not Found', '/apps'),
  create(core, owner, id, body) {
    const state = (body.state ?? {}) as Json;
    if (Object.values(state).includes(null)) return spring(400, 'Bad Request', '/apps');
    if (id !== undefined && core.find(owner, id) !== undefined) return spring(400, 'Bad Request', '/apps');
    return core.create(owner, id, state, false);
  },
  deleted: () => ({ status: 204 }),
  versions: (numbers) => ({ status: 200, body: numbers }),
  // The server ends the stream with the error before it has sent anything.
  missingRun: () => spring(500, 'Internal Server Error', '/run_sse'),
  frames: (event) => [`data:${JSON.stringify(event)}\n\n`],
  errorFrame: () => undefined,
  runsOnAfterDisconnect: false,
};
