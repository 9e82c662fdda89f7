import type { Json } from './core.ts';
import type { Voice } from './server.ts';

const text = (status: number, body: string) => ({
  status,
  body: `${body}\n`,
  type: 'text/plain; charset=utf-8',
});

const runFields = [
  'appName',
  'userId',
  'sessionId',
  'newMessage',
  'streaming',
  'stateDelta',
  'functionCallEventId',
];

/** adk-go v2, from server/adkrest; its older releases have no /version. */
export const go: Voice = {
  prefix: '/api',
  version: undefined,
  unknownRoute: () => text(404, '404 page not found'),
  keepsSlash: false,
  firstVersion: 1,
  session: (session, core) => ({
    id: session.id,
    appName: session.app,
    userId: session.userId,
    lastUpdateTime: Math.floor(session.updated / 1000),
    events: session.events.map(go.event),
    state: core.stateOf(session),
  }),
  listed: (sessions) => (sessions.length === 0 ? null : sessions),
  event(event) {
    const { timestamp: _none, content = null, ...rest } = event;
    return { ...rest, content, groundingMetadata: null, usageMetadata: null };
  },
  missing: (what) =>
    text(500, what === 'artifact' ? 'artifact not found: file does not exist' : `${what} not found`),
  create(core, owner, id, body) {
    if (id !== undefined && core.find(owner, id) !== undefined)
      return text(500, `session ${id} already exists`);
    return core.create(owner, id, (body.state ?? {}) as Json);
  },
  deleted: () => ({ status: 200, body: null }),
  refuseRun(body) {
    const unknown = Object.keys(body).find((field) => !runFields.includes(field));
    return unknown === undefined
      ? undefined
      : text(400, `failed to decode request: json: unknown field "${unknown}"`);
  },
  missingRun: (id) => text(404, `failed to find the session: failed to get session: session ${id} not found`),
  frames: (event) => [`data: ${JSON.stringify(event)}\n\n`],
  errorFrame: (message) => `event: error\ndata: ${JSON.stringify({ error: message })}\n\n`,
  runsOnAfterDisconnect: false,
};

/** Later releases: /version, 404 for what is missing, a list for no sessions, and PATCH. */
export const goWithPatch: Voice = {
  ...go,
  version: { status: 200, body: { version: '2.1.0', language: 'go', language_version: 'go1.26' } },
  listed: (sessions) => sessions,
  missing: (what) => (what === 'artifact' ? go.missing(what) : text(404, `${what} not found`)),
  patch(core, session, body) {
    core.append(session, { author: 'user', actions: { stateDelta: body.stateDelta } });
  },
};
