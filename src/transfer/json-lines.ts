import * as z from 'zod';
import { type Backend, required, type SessionRef } from '../backend/types.ts';
import { invalidArgument } from '../errors.ts';
import { artifactSchema, isUserArtifact } from '../model/artifact.ts';
import { compact, eventSchema, type NewEvent } from '../model/event.ts';
import { sessionSchema } from '../model/session.ts';
import { lines } from '../net/lines.ts';

/**
 * A session as JSON Lines: first the session, then its events in order, then its artifacts, each line with
 * its kind. Hidden events are in it, and stay hidden.
 */
const lineSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('session'), format: z.literal(1), session: sessionSchema }),
  z.object({ kind: z.literal('event'), event: eventSchema }),
  z.object({ kind: z.literal('artifact'), artifact: artifactSchema, data: z.string() }),
]);
type Line = z.infer<typeof lineSchema>;

/** Whose session it is; the export's own id, or the one to import it under. */
interface Place {
  app: string;
  user: string;
  sessionId: string | undefined;
}

/** Where lines come from and go to. */
interface Streams {
  stdin: AsyncIterable<Uint8Array | string>;
  print(text: string): void;
}

const pageSize = 100;

export async function exportSession(backends: readonly Backend[], config: Place, io: Streams): Promise<void> {
  const backend = defaultBackend(backends);
  const ref = refOf(backend, config, config.sessionId ?? '');
  const print = (line: Line) => io.print(`${JSON.stringify(line)}\n`);
  const session = await required(backend.sessions?.get, backend, 'get a session')(ref);
  print({ kind: 'session', format: 1, session });
  const listEvents = required(backend.events?.list, backend, 'list events');
  let cursor: string | undefined;
  do {
    const page = await listEvents(ref, { pageSize, cursor, includeHidden: true });
    for (const event of page.items) print({ kind: 'event', event });
    cursor = page.cursor;
  } while (cursor !== undefined);
  const { list, get } = backend.artifacts ?? {};
  if (list === undefined || get === undefined) return;
  do {
    const page = await list(ref, { pageSize, cursor });
    for (const { name, version } of page.items.filter((artifact) => !isUserArtifact(artifact.name))) {
      for (let v = 0; v <= version; v += 1) {
        const { artifact, data } = await get(ref, name, v);
        print({ kind: 'artifact', artifact, data: data.toString('base64') });
      }
    }
    cursor = page.cursor;
  } while (cursor !== undefined);
}

/** Makes the session anew, and takes it back if a line is wrong. Prints the new session's id. */
export async function importSession(backends: readonly Backend[], config: Place, io: Streams): Promise<void> {
  const backend = defaultBackend(backends);
  const create = required(backend.sessions?.create, backend, 'create sessions');
  let ref: SessionRef | undefined;
  try {
    for await (const text of lines(chunksOf(io.stdin))) {
      if (text.trim() === '') continue;
      const line = parseLine(text);
      if (line.kind === 'session') {
        if (ref !== undefined)
          throw invalidArgument('The input holds more than one session.', 'Import them one by one.');
        const { id, displayName, labels, state, expireTime } = line.session;
        const owner = { app: backend.defaultApp ?? config.app, userId: config.user };
        const session = await create(owner, {
          sessionId: config.sessionId ?? id,
          displayName,
          labels,
          state,
          expireTime,
        });
        ref = { ...owner, sessionId: session.id };
      } else {
        if (ref === undefined)
          throw invalidArgument('The input does not begin with a session.', 'Use what export wrote.');
        await importLine(backend, ref, line);
      }
    }
  } catch (error) {
    if (ref !== undefined) await backend.sessions?.delete?.(ref).catch(() => {});
    throw error;
  }
  if (ref === undefined) throw invalidArgument('The input is empty.', 'Pipe in what export wrote.');
  io.print(`${ref.sessionId}\n`);
}

async function importLine(
  backend: Backend,
  ref: SessionRef,
  line: Exclude<Line, { kind: 'session' }>,
): Promise<void> {
  if (line.kind === 'artifact') {
    const { name, mimeType } = line.artifact;
    const save = required(backend.artifacts?.save, backend, 'save an artifact');
    await save(ref, { name, mimeType, data: Buffer.from(line.data, 'base64') });
    return;
  }
  const { hidden, hideReason: _reason, feedback: _feedback, ...event } = line.event;
  const append = required(backend.events?.append, backend, 'append an event');
  const stored = await append(ref, compact<NewEvent & Record<string, unknown>>(event));
  if (hidden === true) await backend.events?.setVisibility?.(ref, stored.event.id, true);
}

function parseLine(text: string): Line {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw invalidArgument('A line of the input is not JSON.', 'Use what export wrote.');
  }
  const parsed = lineSchema.safeParse(json);
  if (!parsed.success)
    throw invalidArgument('A line of the input is no line of an export.', 'Use what export wrote.');
  return parsed.data;
}

function defaultBackend(backends: readonly Backend[]): Backend {
  const [backend] = backends;
  if (backend === undefined) throw invalidArgument('No backend is configured.', 'Use --backend local.');
  return backend;
}

const refOf = (backend: Backend, config: Place, sessionId: string): SessionRef => ({
  app: backend.defaultApp ?? config.app,
  userId: config.user,
  sessionId,
});

async function* chunksOf(input: AsyncIterable<Uint8Array | string>): AsyncGenerator<Uint8Array, void> {
  for await (const chunk of input) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
}
