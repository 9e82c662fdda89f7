import type { Content, Event } from '../../model/event.ts';
import type { RunError, RunRecord } from '../../model/run.ts';
import type { SessionRef } from './owner.ts';

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
