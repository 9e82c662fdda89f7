import { createHash, randomBytes } from 'node:crypto';

export type Json = Record<string, unknown>;

export interface FakeEvent extends Json {
  id: string;
  type: string;
  session_key: string;
  created_at: string;
}

export interface FakeArtifact extends Json {
  artifact_id: string;
  filename: string;
  size_bytes: number;
}

export interface FakeSession {
  key: string;
  agent: string;
  alias: string | undefined;
  name: string;
  metadata: Json;
  created: string;
  body: Json;
  running: boolean;
  /** Ends the run that is under way. */
  interrupt: (() => void) | undefined;
  /** When the run that is under way ends. */
  done: Promise<unknown>;
  events: FakeEvent[];
  hidden: Map<string, string>;
  pending: Json[];
  artifacts: FakeArtifact[];
  files: Map<string, string>;
  /** Reads that still answer 404, as from a machine that does not know the session yet. */
  unsettled: number;
}

let clock = Date.UTC(2026, 10, 21, 9);

/** A time later than all before, with microseconds as the service writes it. */
export function nextTime(): string {
  clock += 1;
  return `${new Date(clock).toISOString().slice(0, -1)}${String(clock % 1000).padStart(3, '0')}Z`;
}

export const newKey = (prefix: string): string => `${prefix}_${randomBytes(8).toString('hex')}`;

/** A field on every object that the present specification does not have. */
const novelty = { x_added_later: { nested: ['unknown', 1, null] } };

export function newSession(
  agent: string,
  alias: string | undefined,
  body: Json,
  unsettled: number,
): FakeSession {
  const key = typeof body.key === 'string' ? body.key : newKey('ase');
  return {
    key,
    agent,
    alias,
    name: typeof body.name === 'string' ? body.name : `Session ${key}`,
    metadata: (body.metadata as Json | undefined) ?? {},
    created: nextTime(),
    body,
    running: false,
    interrupt: undefined,
    done: Promise.resolve(),
    events: [],
    hidden: new Map(),
    pending: [],
    artifacts: [],
    files: new Map(),
    unsettled,
  };
}

export function sessionJson(session: FakeSession): Json {
  const secrets = Object.keys((session.body.secrets as Json | undefined) ?? {});
  return {
    key: session.key,
    agent_key: session.agent,
    alias_key: session.alias ?? null,
    name: session.name,
    metadata: session.metadata,
    description: session.body.description ?? '',
    enabled: session.body.enabled ?? true,
    status: session.running ? 'running' : session.events.length === 0 ? 'unstarted' : 'stopped',
    tti_minutes: session.body.tti_minutes ?? 0,
    current_step_name: null,
    created_at: session.created,
    secrets: Object.fromEntries(secrets.map((name) => [name, '****'])),
    ...novelty,
  };
}

export function addEvent(session: FakeSession, type: string, fields: Json = {}): FakeEvent {
  const event: FakeEvent = {
    id: newKey('aev'),
    session_key: session.key,
    created_at: nextTime(),
    type,
    ...novelty,
    ...fields,
  };
  session.events.push(event);
  return event;
}

export function eventJson(session: FakeSession, event: FakeEvent, tellsWhy: boolean): Json {
  const reason = session.hidden.get(event.id);
  return { ...event, ...(reason !== undefined && tellsWhy ? { hide_reason: reason } : {}) };
}

export function addArtifact(
  session: FakeSession,
  filename: string,
  mimeType: string,
  data: Buffer,
): FakeArtifact {
  const artifact: FakeArtifact = {
    artifact_id: `art_${filename.toLowerCase().replace(/[^a-z0-9]/g, '_')}_${randomBytes(2).toString('hex')}`,
    filename,
    mime_type: mimeType,
    size_bytes: data.length,
    checksum_sha256: createHash('sha256').update(data).digest('hex'),
    metadata: {},
    created_at: nextTime(),
    updated_at: nextTime(),
    ...novelty,
  };
  session.artifacts.push(artifact);
  session.files.set(artifact.artifact_id, data.toString('base64'));
  return artifact;
}

/** `from_session`: visible events under new ids, and artifacts. No document says what happens to the metadata. */
export function copyInto(target: FakeSession, source: FakeSession, upTo: string | undefined): void {
  for (const event of source.events) {
    const { id, session_key: _key, created_at: _at, type, ...fields } = event;
    if (!source.hidden.has(id)) addEvent(target, type, fields);
    if (id === upTo) break;
  }
  for (const artifact of source.artifacts) {
    target.artifacts.push({ ...artifact });
    target.files.set(artifact.artifact_id, source.files.get(artifact.artifact_id) ?? '');
  }
}
