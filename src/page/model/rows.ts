import type { Event, Part } from '../../model/event.ts';

type FunctionCall = NonNullable<Part['functionCall']>;
type FunctionResponse = NonNullable<Part['functionResponse']>;

/** A tool call together with its answer. */
export interface CallView {
  call: FunctionCall;
  /** The timestamp of the event that holds the call. */
  calledAt: string;
  answer?: { response: FunctionResponse; eventId: string; answeredAt: string; author: string };
}

/** One entry of the conversation. */
export interface Row {
  key: string;
  event: Event;
  /** The tool calls of the event, in the order of its parts. */
  calls: readonly CallView[];
  /** Parts that are neither calls nor answers that stand with their call. */
  parts: readonly Part[];
}

/**
 * The conversation as people read it: an answer of a tool stands with its call, and an event that brings nothing but
 * such answers has no entry of its own.
 */
export function rowsOf(events: readonly Event[]): Row[] {
  const open = new Map<string, CallView>();
  const rows: Row[] = [];
  for (const event of events) {
    const calls: CallView[] = [];
    const parts: Part[] = [];
    let folded = 0;
    for (const part of event.content?.parts ?? []) {
      const { functionCall, functionResponse } = part;
      if (functionCall !== undefined) {
        const view: CallView = { call: functionCall, calledAt: event.timestamp };
        calls.push(view);
        open.set(keyOf(functionCall), view);
        continue;
      }
      const asked = functionResponse && open.get(keyOf(functionResponse));
      if (functionResponse === undefined || asked === undefined) {
        parts.push(part);
        continue;
      }
      folded += 1;
      asked.answer = {
        response: functionResponse,
        eventId: event.id,
        answeredAt: event.timestamp,
        author: event.author,
      };
      // A tool that goes on answers again under the same id; the last answer counts.
      if (functionResponse.willContinue !== true) open.delete(keyOf(functionResponse));
    }
    const isFolded = folded > 0 && parts.length === 0 && calls.length === 0 && !saysMore(event);
    if (!isFolded) rows.push({ key: event.id, event, calls, parts });
  }
  return rows;
}

/** Calls without an id, as some models make them, are matched by the tool's name. */
const keyOf = ({ id, name }: { id?: string | undefined; name: string }): string =>
  id === undefined || id === '' ? `name ${name}` : `id ${id}`;

/** Whether an event means something besides its content. */
function saysMore({ actions, errorCode, errorMessage, hidden }: Event): boolean {
  const { stateDelta, artifactDelta, transferAgent, escalate } = actions ?? {};
  return (
    hidden === true ||
    errorCode !== undefined ||
    errorMessage !== undefined ||
    transferAgent !== undefined ||
    escalate === true ||
    Object.keys(stateDelta ?? {}).length > 0 ||
    Object.keys(artifactDelta ?? {}).length > 0
  );
}

const cutMark = /…\[\d+ more characters; get_event has all\]|"…":"\d+ more; get_event has all"/;

/** Whether the list has cut long values of this event. A text that only looks so costs one reading. */
export const isCut = (event: Event): boolean => cutMark.test(JSON.stringify(event));

export const msBetween = (from: string, to: string): number => Date.parse(to) - Date.parse(from);
