import type { Event } from '../model/event.ts';
import type { RunStatus } from '../model/run.ts';

/** How a run stands, or how it ended. */
export interface RunView {
  status: RunStatus;
  invocationId: string;
  sessionId: string;
  /** The agent's whole events so far, the last of them if there are many. Long values are cut. */
  events: Event[];
  /** What the agent has said so far. */
  text: string;
  /** Whether `events` or `text` lack something. */
  truncated: boolean;
  /** Of a cancelled run: what may still continue on the service. */
  note?: string | undefined;
  /** Of a run that failed: what to tell the caller. */
  error?: unknown;
}

interface WaitOptions {
  /** Longest wait, in milliseconds. */
  ms: number;
  /** Ends the wait, not the run. */
  signal: AbortSignal;
  /** Gets the agent's words as they come. */
  onText?: ((text: string) => void) | undefined;
}

/**
 * An agent at work on a session. It goes on whether or not somebody waits: a run is not a connection. It ends
 * by itself, by `cancel`, or with the process that runs it.
 */
export interface Run {
  readonly invocationId: string;
  /** Resolves when the run has ended, the time is up or the signal is aborted, whichever comes first. */
  wait(options: WaitOptions): Promise<RunView>;
  /** Ends the run and resolves when that is stored. What the agent had said by then is kept. */
  cancel(): Promise<void>;
}

/** A run, as returned to the call that asked for it. */
export interface StartedRun extends Run {
  /** Whether this call began the run; else it found one that another call began. */
  readonly begun: boolean;
}
