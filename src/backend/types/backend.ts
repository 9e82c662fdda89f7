import type { AppVerbs } from './apps.ts';
import type { ArtifactVerbs } from './artifacts.ts';
import type { EventVerbs } from './events.ts';
import type { FeedbackVerbs } from './feedback.ts';
import type { MemoryVerbs } from './memory.ts';
import type { QueryVerbs } from './query.ts';
import type { RunLedger, RunMarks } from './runs.ts';
import type { SessionVerbs } from './sessions.ts';
import type { ToolCallVerbs } from './tool-calls.ts';
import type { TransferVerbs } from './transfer.ts';
import type { TurnVerbs } from './turns.ts';

/** What describe_server says of a backend. Holds no secrets. */
export interface BackendInfo {
  name: string;
  /** The engine of its store, where the backend keeps the data itself. */
  engine?: string;
  /** Where the data is: a path, a host, a project. For those who run the server. */
  location: string;
  /** `group.verb` of everything this backend can do. */
  capabilities: string[];
  /** Facts a user of this backend should know, one sentence each. */
  notes: string[];
}

/** How a backend reaches its service, for whoever checks the configuration. */
export interface Access {
  /** Where requests go: an address without a path. */
  origin: string;
  /**
   * The credentials in use, as one line: their kind, account, project and quota project, and never a secret. What
   * must be fetched is fetched. Rejects when there are none.
   */
  credentials(): Promise<string>;
}

/**
 * Where sessions live. A backend has the groups, and in them the verbs, that its service really has; what
 * is missing is missing here too. Every verb answers NOT_FOUND for an object of another owner, exactly as
 * for one that does not exist. Every promise may reject with a SessionError and nothing else that is meant
 * for the caller. `signal` ends a call early with CANCELLED.
 */
export interface Backend {
  name: string;
  /** Absent: there is no service behind this backend. */
  access?: Access | undefined;
  /** The app of calls that name none. Absent: the server's own default. */
  defaultApp?: string | undefined;
  /** Events have numbers, by which lists can be narrowed. */
  numbersEvents?: true;
  /** A session can be given no expiry any more. */
  forgetsExpiry?: true;
  /** The apps in which the user has a session of this id; for errors that find the way. */
  appsOfSession?(userId: string, sessionId: string): Promise<string[]>;
  /** A sentence for callers who cancel a run, where cancelling may not end it on the service. */
  cancelNote?: string | undefined;
  /**
   * Calls back when verbs were added to this backend, until the returned function is called. Absent: they stay as
   * they are.
   */
  onCapabilitiesChanged?(listener: () => void): () => void;
  describe(): Promise<BackendInfo>;
  /** Rejects when a write could not be done now. Cheap enough to be asked every second. */
  ready?(): Promise<void>;
  close(): Promise<void>;

  apps?: AppVerbs;
  sessions?: SessionVerbs;
  events?: EventVerbs;
  turns?: TurnVerbs;
  toolCalls?: ToolCallVerbs;
  artifacts?: ArtifactVerbs;
  memory?: MemoryVerbs;
  query?: QueryVerbs;
  feedback?: FeedbackVerbs;
  /** Absent: runs are known to the process that runs them, and to others by `runMarks` alone. */
  runs?: RunLedger;
  runMarks?: RunMarks;
  /** Absent: sessions are copied by the verbs above alone. */
  transfer?: TransferVerbs;
}
