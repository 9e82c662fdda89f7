/** What a worker says of each thing that it does to a session: before it, and when it knows what came of it. */
export type Line =
  | { kind: 'begin'; id: string; at: number; session: string; action: Action }
  | { kind: 'end'; id: string; at: number; outcome: Outcome };

export type Action =
  /** Every text is appended once. */
  | { do: 'append'; text: string }
  | { do: 'update'; expectedRevision: number }
  /** Every event is hidden once at most. */
  | { do: 'hide'; text: string }
  | { do: 'read' }
  | { do: 'fork' };

/** `refused` has certainly not happened; of `unknown` nobody knows. */
export type Outcome =
  | { is: 'done'; revision?: number; seen?: Seen }
  | { is: 'refused'; currentRevision?: number }
  | { is: 'unknown' };

/** The events of a session, in their order, and its revision before and after they were listed. */
export interface Seen {
  before: number;
  after: number;
  events: { text: string; hidden: boolean }[];
}

export interface Operation {
  id: string;
  session: string;
  action: Action;
  start: number;
  /** Infinite where the answer was never heard. */
  end: number;
  outcome: Outcome;
}

/** Puts the lines of all workers together. A worker that was killed leaves an operation without an end. */
export function operationsOf(lines: readonly Line[]): Operation[] {
  const operations = new Map<string, Operation>();
  for (const line of lines) {
    if (line.kind === 'begin') {
      const { id, at: start, session, action } = line;
      operations.set(id, {
        id,
        session,
        action,
        start,
        end: Number.POSITIVE_INFINITY,
        outcome: { is: 'unknown' },
      });
    } else {
      const operation = operations.get(line.id);
      if (operation === undefined) continue;
      operation.outcome = line.outcome;
      if (line.outcome.is !== 'unknown') operation.end = line.at;
    }
  }
  return [...operations.values()];
}
