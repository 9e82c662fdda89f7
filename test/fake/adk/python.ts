import { randomUUID } from 'node:crypto';
import type { Json } from './core.ts';
import type { Voice } from './server.ts';

const detail = (status: number, text: string) => ({ status, body: { detail: text } });

/** pydantic writes bytes in the URL-safe alphabet. */
const urlSafe = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value), (key, inner: unknown) =>
    key === 'data' && typeof inner === 'string' ? inner.replaceAll('+', '-').replaceAll('/', '_') : inner,
  );

/** adk-python 2.x, from cli/api_server.py. */
export const python: Voice = {
  prefix: '',
  version: { status: 200, body: { version: '2.6.0', language: 'python', language_version: '3.13.1' } },
  unknownRoute: () => detail(404, 'Not Found'),
  keepsSlash: false,
  firstVersion: 0,
  session: (session, core) => ({
    id: session.id,
    appName: session.app,
    userId: session.userId,
    state: core.stateOf(session),
    events: session.events.map(python.event),
    lastUpdateTime: session.updated / 1000,
  }),
  listed: (sessions) => sessions,
  event: (event) => ({ ...(urlSafe(event) as Json), timestamp: event.timestamp / 1000 + 0.000386 }),
  missing: (what) => detail(404, what === 'artifact' ? 'Artifact not found' : 'Session not found'),
  create(core, owner, id, body) {
    // The route with an id takes the whole body as the state.
    const wanted = id ?? (typeof body.sessionId === 'string' ? body.sessionId : undefined);
    if (wanted !== undefined && core.find(owner, wanted) !== undefined)
      return detail(409, `Session already exists: ${wanted}`);
    return core.create(owner, wanted, (id === undefined ? (body.state ?? {}) : body) as Json);
  },
  deleted: () => ({ status: 200, body: null }),
  versions: (numbers) => ({ status: 200, body: numbers }),
  patch(core, session, body) {
    core.append(session, {
      author: 'user',
      invocationId: `p-${randomUUID()}`,
      actions: { stateDelta: body.stateDelta },
    });
  },
  saveArtifact: (version, body) => ({
    status: 200,
    body: {
      version,
      canonicalUri: `memory://${String(body.filename)}/versions/${version}`,
      customMetadata: {},
      createTime: 1_795_254_387.25,
      mimeType: ((body.artifact as Json).inlineData as Json).mimeType,
    },
  }),
  addsToMemory: true,
  missingRun: (id) => detail(404, `Session not found: ${id}`),
  frames(event) {
    const actions = event.actions as Json;
    const delta = (actions.artifactDelta ?? {}) as Json;
    const frame = (value: Json) => `data: ${JSON.stringify(value)}\n\n`;
    if (Object.keys(delta).length === 0 || event.content === undefined) return [frame(event)];
    const { content: _content, ...bare } = event;
    return [frame({ ...event, actions: { ...actions, artifactDelta: {} } }), frame(bare)];
  },
  errorFrame: (message) =>
    `data: ${JSON.stringify({
      error: `RuntimeError: ${message}`,
      error_details: { error_type: 'RuntimeError', error_message: message, timestamp: 1_795_254_387.2 },
    })}\n\n`,
  runsOnAfterDisconnect: false,
};

/** Releases of 2025: they have no /version and ignore the id in the body of a create. */
export const python2025: Voice = {
  ...python,
  version: undefined,
  create(core, owner, id, body) {
    if (id !== undefined && core.find(owner, id) !== undefined)
      return detail(400, `Session already exists: ${id}`);
    return core.create(owner, id, (id === undefined ? (body.state ?? {}) : body) as Json);
  },
};
