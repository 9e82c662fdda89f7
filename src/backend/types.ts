import { SessionError } from '../errors.ts';
import type { Artifact } from '../model/artifact.ts';
import type { Content, Event, NewEvent } from '../model/event.ts';
import type { FilterTerm } from '../model/filter.ts';
import { isObject, type JsonObject } from '../model/json.ts';
import type { Memory, MemoryScope } from '../model/memory.ts';
import type { Page, PageQuery } from '../model/page.ts';
import type { RunError, RunRecord } from '../model/run.ts';
import type { Session, SessionOrder } from '../model/session.ts';
import type { ToolCall, ToolOutput } from '../model/tool-call.ts';
import type { Turn } from '../model/turn.ts';

/** Whose data: every call names an app and a user, and a backend reaches nothing outside them. */
export interface Owner {
  app: string;
  userId: string;
}

export interface SessionRef extends Owner {
  sessionId: string;
}

export interface App {
  name: string;
  displayName?: string | undefined;
  description?: string | undefined;
  createTime?: string | undefined;
  updateTime?: string | undefined;
}

export interface NewSession {
  /** The caller's own id. ALREADY_EXISTS when it is taken. */
  sessionId?: string | undefined;
  displayName?: string | undefined;
  labels?: Record<string, string> | undefined;
  /** Initial state; `app:` and `user:` keys go to the shared state, `temp:` keys are dropped. */
  state?: JsonObject | undefined;
  /** RFC 3339; the session and all below it are deleted then. */
  expireTime?: string | undefined;
  /**
   * Where turns are handed out: the session that this one is a part of, of the same user. Its turn is offered when
   * none of its parts has an open one. NOT_FOUND when it does not exist.
   */
  parentSessionId?: string | undefined;
}

export interface SessionChange {
  displayName?: string | undefined;
  labels?: Record<string, string> | undefined;
  /** Replaces the session's own keys whole; `user:` and `app:` keys that are given are set, others stay. */
  state?: JsonObject | undefined;
  expireTime?: string | undefined;
  /** Takes the expiry away, where the backend `forgetsExpiry`: the session lives until it is deleted. */
  noExpiry?: boolean | undefined;
}

/** Refuses the write with ABORTED unless the session still has this revision. */
export interface Guard {
  expectedRevision?: number | undefined;
}

export interface AppendGuard extends Guard {
  /** The claim of `turns.take`. Refuses the event with ABORTED once the turn is lost, and renews its lease. */
  claim?: string | undefined;
}

/** Who wants a turn. */
export interface TurnRequest {
  agent: string;
  /** Only this session's turn. */
  sessionId?: string | undefined;
  /** The copy of the agent that asks. The turn that it holds is answered again, its lease renewed. */
  worker?: string | undefined;
  /** Milliseconds for which the turn is claimed, and for which it is waited for. */
  leaseMs: number;
  waitMs: number;
}

export interface TakenTurn {
  ref: SessionRef;
  turn: Turn;
  /** Proves to `events.append` that the turn is still the taker's. */
  claim: string;
  /** The whole note of the hand-over. */
  note?: string | undefined;
  /** The last event of the agent's last turn in this session; absent: it had none. */
  actedUpTo?: string | undefined;
}

export interface SessionQuery extends PageQuery {
  app: string;
  /** Absent: all users of the app. Only an admin's call comes without it. */
  userId?: string | undefined;
  filter?: readonly FilterTerm[] | undefined;
  orderBy?: SessionOrder | undefined;
  /** Only sessions with these words in their name or events, best first whatever the order. Needs `events.search`. */
  text?: string | undefined;
  /** Only sessions that were last updated after, or before, these RFC 3339 times. */
  updatedAfter?: string | undefined;
  updatedBefore?: string | undefined;
}

export interface ForkOptions {
  newSessionId?: string | undefined;
  displayName?: string | undefined;
  /** The last event to copy; absent: all. */
  upToEventId?: string | undefined;
}

export interface EventQuery extends PageQuery {
  /** Order of acceptance. Default asc. */
  order?: 'asc' | 'desc' | undefined;
  /** Only events accepted after this one. */
  afterEventId?: string | undefined;
  /** Only events whose timestamp is later than this RFC 3339 time. */
  afterTime?: string | undefined;
  includeHidden?: boolean | undefined;
  author?: string | undefined;
  /** Only events with these numbers and those between; only where the backend numbers events. */
  numbers?: { first: number; last?: number | undefined } | undefined;
}

export interface EventPage extends Page<Event> {
  /** The number of each item in its session, counted from 1 and never given again. */
  numbers?: readonly number[] | undefined;
}

/** A search of what was said in a user's sessions. */
export interface EventSearch {
  userId: string;
  /** Absent: the sessions of all apps. */
  app?: string | undefined;
  text: string;
  limit: number;
  /** Only this session, of `app`. NOT_FOUND when there is none. */
  sessionId?: string | undefined;
  author?: string | undefined;
  /** Only events with a timestamp later, or earlier, than these RFC 3339 times. */
  afterTime?: string | undefined;
  beforeTime?: string | undefined;
  /** Only sessions that match. */
  filter?: readonly FilterTerm[] | undefined;
  /** So many visible events before and after each hit come with it. */
  around: number;
}

export interface EventHit {
  session: Session;
  event: Event;
  /** Comparable within one answer only; higher is better. */
  score: number;
  /** Visible neighbours in their order. */
  before: Event[];
  after: Event[];
}

export interface EventsFound {
  /** Best first. */
  hits: EventHit[];
  /** Events that an earlier version of this program stored are still being indexed. */
  indexing: boolean;
}

/** What a write to a session returns in addition to its object. */
export interface SessionMark {
  id: string;
  revision?: number | undefined;
  updateTime: string;
}

/** How many events a rewinding hid, or showed again. */
export interface Rewound {
  events: number;
  session: SessionMark;
}

export interface Appended {
  event: Event;
  session: SessionMark;
}

export interface NewArtifact {
  name: string;
  mimeType: string;
  data: Buffer;
}

export interface ArtifactContent {
  artifact: Artifact;
  data: Buffer;
}

/** Which memories of an owner: those of a session, those of a scope, or those of both. */
export interface MemoryChoice {
  sessionId?: string | undefined;
  scope?: MemoryScope | undefined;
}

/** Which facts are made of a session: all that are new, or those of a range of events, where these have numbers. */
export interface FactChoice {
  scope?: MemoryScope | undefined;
  numbers?: EventQuery['numbers'];
}

export interface MemoryAddition {
  memories: Memory[];
  /** How many facts were made; `memories` may show fewer. */
  count: number;
  /** One sentence on how the facts were made, since services differ. */
  note: string;
}

/** A session that comes from another backend or from a file, with what it keeps of its life there. */
export interface ArrivingSession extends NewSession {
  /** RFC 3339; absent: now. */
  createTime?: string | undefined;
  forkedFrom?: Session['forkedFrom'];
}

/** A session that is taken in piece by piece. Nobody sees it before `commit`; a killed process leaves nothing. */
export interface StagedSession {
  /** The next event as it was: id, time, visibility and feedback stay, and its state delta sets nothing. */
  addEvent(event: Event): Promise<void>;
  /** One version of an artifact under the number it had. The versions of a name come in ascending order. */
  addArtifact(content: ArtifactContent): Promise<void>;
  /**
   * Makes the session appear, whole. `state` is the state that it has then; `user:` and `app:` keys in it are
   * set, others stay. ALREADY_EXISTS when somebody took its id meanwhile.
   */
  commit(state: JsonObject): Promise<Session>;
  /** Leaves nothing. */
  discard(): Promise<void>;
}

/** What copying whole sessions needs beyond the verbs that callers have. All optional: see `src/transfer`. */
interface TransferVerbs {
  /** The session's own state (no shared keys) as it stood right after an event was accepted. */
  stateAt?(ref: SessionRef, eventId: string): Promise<JsonObject>;
  /** Begins a session that appears whole or not at all. ALREADY_EXISTS when its id is taken. */
  stage?(owner: Owner, session: ArrivingSession): Promise<StagedSession>;
  /**
   * Stores one event of a copy, under an id that the caller knows not to be stored: one request, nothing read
   * before or after it. Waits for quota for as long as it takes; `signal` ends the waiting with CANCELLED, and
   * a request that is on its way is still waited for.
   */
  append?(ref: SessionRef, event: NewEvent, options: { signal?: AbortSignal | undefined }): Promise<void>;
}

/** What a run gets to work on. */
export interface RunInput {
  /** Without parts only where the backend has `runs`: the run goes on from what the session holds. */
  message: Content;
  stateDelta?: JsonObject | undefined;
  /** Given by our side; a service that mints its own reports it in the events. */
  invocationId: string;
  /** Of the whole request. A backend with `runMarks` notes it with the run. */
  digest?: string | undefined;
  /** The principal that asks; noted with the message where the backend keeps events itself. */
  writtenBy?: string | undefined;
  /**
   * The claim of a turn that the run answers: `message` is then what the turn was handed over with, which the session
   * holds already, and nothing is written once the turn is lost.
   */
  claim?: string | undefined;
  /** Which of the app's agents is asked; absent: its first, or its only one. */
  agent?: string | undefined;
  /** Agent Engine: which streaming class method to call. */
  classMethod?: string | undefined;
  /**
   * Where agents have methods of their own: further arguments of the one that is called, such as ADK's
   * `run_config`. Neither message nor session nor user can be replaced by it.
   */
  input?: JsonObject | undefined;
}

/** How a run ended, and the event that says so. */
export interface RunEnding {
  status: 'completed' | 'failed' | 'cancelled' | 'interrupted';
  error?: RunError | undefined;
  /** What the agent had said since its last whole event. */
  text?: string | undefined;
}

/**
 * Where a backend notes its runs, so that every process over one store knows of them. A run is leased to the
 * process that runs it; whoever looks at a session whose run has lost its process marks it as interrupted.
 */
export interface RunLedger {
  /** Milliseconds for which a run is leased without being renewed. */
  readonly leaseMs: number;
  /**
   * Notes a run, unless the session has one: ABORTED with its `invocationId`. A run of this id that goes on
   * or was completed is not begun again; `digest` tells whether it was begun with the same message, else
   * ALREADY_EXISTS. INVALID_ARGUMENT when the agent cannot take the message.
   */
  begin(ref: SessionRef, run: RunToBegin): Promise<BegunRun>;
  /** Undefined when the run does not exist. */
  get(ref: SessionRef, invocationId: string): Promise<RunRecord | undefined>;
  /**
   * False when the run is no longer ours. `text` is what the agent has said since its last whole event: it is
   * kept with the run, for those who look from elsewhere, and for its end if we cannot tell it any more.
   */
  renew(ref: SessionRef, invocationId: string, text: string): Promise<boolean>;
  /** Ends a run, whoever runs it, unless it has ended already; an end other than completion is stored as an event. */
  end(ref: SessionRef, invocationId: string, ending: RunEnding): Promise<RunRecord | undefined>;
  /** The agent's last events of a run, in order. */
  events(ref: SessionRef, invocationId: string, limit: number): Promise<Event[]>;
}

interface RunToBegin {
  invocationId: string;
  digest: string;
  message?: Content | undefined;
  agent?: string | undefined;
  /** The id was made for this call, so nobody has begun the run. */
  isNew?: boolean | undefined;
}

export interface BegunRun {
  begun: boolean;
  run: RunRecord;
}

/** A run that its service keeps under a mark of ours, as far as the session's events tell. */
export interface MarkedRun {
  run: RunRecord;
  digest: string;
  /** The agent's events, in order. */
  events: Event[];
}

/** Where a service keeps no account of runs, but takes a mark of ours with each and shows it again. */
export interface RunMarks {
  /** Undefined where no run has this mark. */
  find(ref: SessionRef, invocationId: string): Promise<MarkedRun | undefined>;
}

export interface Feedback {
  /** What the feedback speaks of. */
  eventId?: string | undefined;
  invocationId?: string | undefined;
  score: number;
  text?: string | undefined;
}

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

/**
 * Where sessions live. A backend has the groups, and in them the verbs, that its service really has; what
 * is missing is missing here too. Every verb answers NOT_FOUND for an object of another owner, exactly as
 * for one that does not exist. Every promise may reject with a SessionError and nothing else that is meant
 * for the caller. `signal` ends a call early with CANCELLED.
 */
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

  apps?: {
    /** With a userId: only those where that user has sessions, if the service keeps apps by user. */
    list?(query: PageQuery & { userId?: string | undefined }): Promise<Page<App>>;
    get?(name: string): Promise<App>;
    create?(app: {
      name: string;
      displayName?: string | undefined;
      description?: string | undefined;
    }): Promise<App>;
    /** FAILED_PRECONDITION when the app has sessions and `force` is not set. */
    delete?(name: string, options: { force: boolean }): Promise<void>;
  };
  sessions?: {
    list?(query: SessionQuery): Promise<Page<Session>>;
    create?(owner: Owner, session: NewSession): Promise<Session>;
    get?(ref: SessionRef): Promise<Session>;
    update?(ref: SessionRef, change: SessionChange, guard?: Guard): Promise<Session>;
    delete?(ref: SessionRef, guard?: Guard): Promise<void>;
    fork?(ref: SessionRef, options: ForkOptions): Promise<Session>;
    /** Goes back to what the session was after an event, in one write, or takes the last such write back. */
    rewind?(ref: SessionRef, to: { eventId: string } | { undo: true }, guard?: Guard): Promise<Rewound>;
    /**
     * Calls back soon after the session may have changed, whichever process changed it, until the returned
     * function is called. Calls are coalesced; the callee looks for itself what is new.
     */
    watch?(ref: SessionRef, onChange: () => void): () => void;
  };
  events?: {
    list?(ref: SessionRef, query: EventQuery): Promise<EventPage>;
    get?(ref: SessionRef, eventId: string): Promise<Event>;
    /** Never finds an event that is hidden, or deleted with its session or alone. */
    search?(query: EventSearch): Promise<EventsFound>;
    /** Stores one event. The same id twice is one event; the second call answers what the first stored. */
    append?(ref: SessionRef, event: NewEvent, guard?: AppendGuard): Promise<Appended>;
    setVisibility?(ref: SessionRef, eventId: string, hidden: boolean): Promise<Event>;
    delete?(ref: SessionRef, eventId: string, guard?: Guard): Promise<void>;
  };
  turns?: {
    /**
     * Waits for a turn that was handed to an agent, and claims it for one taker: of the user, or without a userId
     * of all users of the app; the oldest first. A turn whose lease runs out is offered again, `mostTries` times
     * in all, and then goes back to whoever handed it over. Undefined when the time is up or the signal aborted.
     */
    take?(
      scope: { app: string; userId?: string | undefined },
      request: TurnRequest,
      signal: AbortSignal,
    ): Promise<TakenTurn | undefined>;
  };
  toolCalls?: {
    /** Calls without an answer, oldest first. */
    list?(ref: SessionRef): Promise<ToolCall[]>;
    /** Answers calls in one event. NOT_FOUND names a call that is not outstanding. */
    submit?(
      ref: SessionRef,
      outputs: readonly ToolOutput[],
      options?: { writtenBy?: string | undefined },
    ): Promise<Appended>;
  };
  artifacts?: {
    /** The latest version of each artifact of the session, and of the user's `user:` ones; by name. */
    list?(ref: SessionRef, query: PageQuery): Promise<Page<Artifact>>;
    /** Without a version: the latest. */
    get?(ref: SessionRef, name: string, version?: number): Promise<ArtifactContent>;
    /** Saves the next version. */
    save?(ref: SessionRef, artifact: NewArtifact): Promise<Artifact>;
  };
  memory?: {
    /** Best first. */
    search?(
      owner: Owner,
      query: { text: string; limit: number; scope?: MemoryScope | undefined },
    ): Promise<Memory[]>;
    addSession?(ref: SessionRef, options: FactChoice): Promise<MemoryAddition>;
    /** How many facts `addSession` would make. */
    countFacts?(ref: SessionRef, options: FactChoice): Promise<number>;
    count?(owner: Owner, which: MemoryChoice): Promise<number>;
    /** Deletes all that `count` counts; how many there were. */
    deleteAll?(owner: Owner, which: MemoryChoice): Promise<number>;
    create?(owner: Owner, memory: { fact: string; scope?: MemoryScope | undefined }): Promise<Memory>;
    list?(owner: Owner, query: PageQuery & { scope?: MemoryScope | undefined }): Promise<Page<Memory>>;
    delete?(owner: Owner, memoryId: string): Promise<void>;
  };
  query?: {
    /**
     * Runs the app's agent on a message and yields its events as they come. Events with `partial: true` are
     * pieces of text for progress and are stored by nobody; the others are in the session when they are
     * yielded or soon after. An agent that fails throws. Leaving the loop or aborting the signal ends the run.
     */
    stream?(ref: SessionRef, input: RunInput, signal: AbortSignal): AsyncGenerator<Event, void>;
    /** Calls a method of the agent that answers one JSON value. */
    call?(
      owner: Owner,
      call: { classMethod: string; input: JsonObject },
      signal: AbortSignal,
    ): Promise<unknown>;
  };
  feedback?: {
    register?(ref: SessionRef, feedback: Feedback): Promise<void>;
  };
  /** Absent: runs are known to the process that runs them, and to others by `runMarks` alone. */
  runs?: RunLedger;
  runMarks?: RunMarks;
  /** Absent: sessions are copied by the verbs above alone. */
  transfer?: TransferVerbs;
}

type Group =
  | 'apps'
  | 'sessions'
  | 'events'
  | 'turns'
  | 'toolCalls'
  | 'artifacts'
  | 'memory'
  | 'query'
  | 'feedback';
type VerbsOf<G extends Group> = NonNullable<Backend[G]>;

/** `group.verb`, the name of one capability. */
export type Capability = { [G in Group]: `${G}.${string & keyof VerbsOf<G>}` }[Group];

const groups: readonly Group[] = [
  'apps',
  'sessions',
  'events',
  'turns',
  'toolCalls',
  'artifacts',
  'memory',
  'query',
  'feedback',
];

export function capabilitiesOf(backend: Backend): Capability[] {
  return groups.flatMap((group) =>
    Object.entries(backend[group] ?? {})
      .filter(([, verb]) => typeof verb === 'function')
      .map(([name]) => `${group}.${name}` as Capability),
  );
}

// Asked for every call: looks only at what is asked about.
export function supports(backend: Backend, capability: Capability): boolean {
  const dot = capability.indexOf('.');
  const verbs: unknown = backend[capability.slice(0, dot) as Group];
  return isObject(verbs) && typeof verbs[capability.slice(dot + 1)] === 'function';
}

/**
 * A verb that the backend has, or the error that says who has it.
 * @throws SessionError UNIMPLEMENTED
 */
export function required<T>(verb: T | undefined, backend: Backend, what: string, hint?: string): T {
  if (verb === undefined)
    throw new SessionError('UNIMPLEMENTED', `The ${backend.name} backend cannot ${what}.`, {
      hint: hint ?? 'Call describe_server to see which backend can.',
    });
  return verb;
}
