import { SessionError } from '../../errors.ts';
import type { Content, Event, NewEvent } from '../../model/event.ts';
import type { RunRecord } from '../../model/run.ts';
import type { Store, Write } from '../../store/types.ts';
import type { RunEnding, SessionRef } from '../types.ts';
import { noCalls } from './call-record.ts';
import { parseStored } from './damage.ts';
import { addEvent, type EventRecord } from './event-record.ts';
import * as keys from './keys.ts';
import type { Head } from './session-record.ts';

/** What is stored of a run. */
export interface RunRow extends RunRecord {
  digest: string;
  /** Who runs it: new with every begin. */
  owner: string;
  machine?: string | undefined;
  pid?: number | undefined;
  /** Milliseconds since the epoch; without a renewal before, the owner counts as dead. */
  expires: number;
  /** Numbers of the first event of the run and, when it has ended, of the first event after it. */
  first: number;
  end?: number | undefined;
}

/** The end of a run whose process has ended. */
export const interruption: RunEnding = {
  status: 'interrupted',
  error: {
    code: 'ABORTED',
    message: 'The run was interrupted: the process that ran the agent has ended.',
    hint: 'Send the message again; with the same invocationId it is stored once.',
  },
};

export const parseRow = (value: string | undefined): RunRow | undefined =>
  value === undefined ? undefined : parseStored('The run', value);

export const isHeld = (row: RunRow, owner: string): boolean =>
  row.status === 'running' && row.owner === owner;

export const toRecord = (row: RunRow): RunRecord => ({
  invocationId: row.invocationId,
  status: row.status,
  author: row.author,
  error: row.error,
  text: row.text,
});

/** Whether the agent had finished its answer, so that only the mark of its end is missing. */
export function isComplete(last: string | undefined, row: RunRow): boolean {
  if (last === undefined) return false;
  const { event } = parseStored<EventRecord>('An event', last);
  // The end of an earlier attempt that failed is no answer.
  return (
    event.invocationId === row.invocationId &&
    event.author === row.author &&
    event.turnComplete === true &&
    event.errorCode === undefined
  );
}

export function withEvent(
  head: Head,
  event: Event | undefined,
  now: number,
): { head: Head; writes: Write[] } {
  return event === undefined ? { head, writes: [] } : addEvent(head, event, noCalls(), now);
}

/** What the agent had said when its run ended. */
export const saidContent = (text: string | undefined): Content | undefined =>
  text ? { role: 'model', parts: [{ text }] } : undefined;

export function endEvent(invocationId: string, ending: RunEnding): NewEvent {
  return {
    author: '',
    invocationId,
    ...(ending.status === 'failed' ? {} : { interrupted: true }),
    turnComplete: true,
    errorCode: ending.error?.code ?? (ending.status === 'cancelled' ? 'CANCELLED' : 'INTERNAL'),
    errorMessage: ending.error?.message,
  };
}

export function checkDigest(row: RunRow, digest: string): void {
  if (row.digest !== digest)
    throw new SessionError(
      'ALREADY_EXISTS',
      'A run with this invocationId exists, and its message was different.',
      {
        hint: 'Leave invocationId out for a new run, or send no message to see that run.',
      },
    );
}

export function busy(invocationId: string): SessionError {
  return new SessionError(
    'ABORTED',
    'An agent is already running in this session, and only one can run at a time.',
    {
      hint: 'Wait with wait_for_events until it ends, or call query with its invocationId and no message to see how it stands.',
      details: { invocationId },
    },
  );
}

/** A run that this process runs, as long as its record names this owner. */
export interface OwnRun {
  ref: SessionRef;
  invocationId: string;
  /** The session's. */
  uid: string;
  owner: string;
  /** Counts the events that the run has written: text from before one is not what was said since. */
  writes: number;
}

/** The store as a run may use it: a write is refused once the run is not ours, and an event ends what was unfinished. */
export function fencedStore(store: Store, key: string, mine: OwnRun): Store {
  return {
    ...store,
    update: (wanted, decide) =>
      store.update([key, ...wanted], ([value, ...values]) => {
        const row = parseRow(value);
        if (row === undefined || !isHeld(row, mine.owner)) throw runEnded();
        const decision = decide(values);
        const events = keys.events(mine.uid);
        if (!decision.writes.some((write) => 'key' in write && write.key.startsWith(events))) return decision;
        mine.writes += 1;
        if (row.text === undefined) return decision;
        const { text: _said, ...rest } = row;
        return { ...decision, writes: [...decision.writes, { key, value: JSON.stringify(rest) }] };
      }),
  };
}

/** The store for a run that was ended before it began to write. */
export function closedStore(store: Store): Store {
  return { ...store, update: () => Promise.reject(runEnded()) };
}

function runEnded(): SessionError {
  return new SessionError('ABORTED', 'The run has been ended.', {
    hint: 'Read the session with list_events, then send the message again.',
  });
}
