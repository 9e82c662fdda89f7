import type { NewEvent, Part } from '../../model/event.ts';

/** A tool call that an event makes. */
export interface MadeCall {
  id: string;
  name?: string | undefined;
  longRunning?: boolean | undefined;
  /** Nothing but an id among the long-running ones. */
  bare?: boolean | undefined;
}

/** An answer in an event. An answer that is not final leaves its call open. */
export interface CallAnswer {
  id: string;
  byUser: boolean;
}

/** The tool calls that an event makes: its functionCalls, and long-running ids that no part explains. */
export function callsOf(event: Pick<NewEvent, 'content' | 'longRunningToolIds' | 'partial'>): MadeCall[] {
  if (event.partial === true) return [];
  const long = event.longRunningToolIds ?? [];
  const made = (event.content?.parts ?? []).flatMap(({ functionCall: call }) =>
    call?.id === undefined
      ? []
      : [{ id: call.id, name: call.name, longRunning: long.includes(call.id) || undefined }],
  );
  const bare = [...new Set(long)].filter((id) => !made.some((call) => call.id === id));
  return [...made, ...bare.map((id) => ({ id, longRunning: true, bare: true }))];
}

/** The answers of an event. A response that says `willContinue` is a piece of one. */
export function answersOf(event: Pick<NewEvent, 'author' | 'content' | 'partial'>): CallAnswer[] {
  if (event.partial === true) return [];
  return (event.content?.parts ?? []).flatMap(({ functionResponse: answer }: Part) =>
    answer?.id === undefined || answer.willContinue === true
      ? []
      : [{ id: answer.id, byUser: event.author === 'user' }],
  );
}

/**
 * Whether an answer is the final one of a call. The tool of a long-running call answers at once that it has
 * begun; how it ended, the user says. https://google.github.io/adk-docs/tools/function-tools/#long-run-tool
 */
export const endsCall = (answer: CallAnswer, call: { longRunning?: boolean | undefined }): boolean =>
  call.longRunning !== true || answer.byUser;
