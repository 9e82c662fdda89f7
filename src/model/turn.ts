import * as z from 'zod';
import { type Content, type Event, type NewEvent, textOf } from './event.ts';
import { isObject, type JsonObject } from './json.ts';

/** How often a turn is offered before it goes back to whoever handed it over. */
export const mostTries = 5;

/** How often agents that servers run may hand over to one another until somebody else takes part. */
export const mostHandOvers = 10;

/** Longest note of a hand-over, in characters. */
export const maxNoteLength = 4000;

/** The open turn of a session: which agent is to act, and who has claimed it. */
export const turnSchema = () =>
  z.object({
    agent: z.string(),
    /** The beginning of what whoever handed over asks for. */
    note: z.string().optional(),
    handedOverBy: z.string(),
    /** The event that handed it over, and its RFC 3339 time of acceptance. */
    eventId: z.string(),
    since: z.string(),
    /** How often it was claimed. */
    tries: z.int(),
    /** Why the last try failed, and the RFC 3339 time at which it is offered again. */
    failure: z.string().optional(),
    retryTime: z.string().optional(),
    /** The copy of the agent that has claimed it, should it have given a name, and the RFC 3339 end of its lease. */
    worker: z.string().optional(),
    claimedUntil: z.string().optional(),
  });
export type Turn = z.infer<ReturnType<typeof turnSchema>>;

/** An event hands its session over by naming the next agent, as in ADK. The note travels in its metadata. */
export interface HandOver {
  agent: string;
  note?: string | undefined;
}

/** Where an event keeps the note of its hand-over. */
export const withNote = (
  note: string,
  others?: JsonObject,
): { customMetadata: JsonObject & { handOver: { note: string } } } => ({
  customMetadata: { ...others, handOver: { note } },
});

/** Whom an event hands its session over to. */
export function handOverOf(event: Pick<NewEvent, 'actions' | 'customMetadata'>): HandOver | undefined {
  const agent = event.actions?.transferAgent;
  if (agent === undefined || agent === '') return undefined;
  const about = event.customMetadata?.handOver;
  const note = isObject(about) ? about.note : undefined;
  return { agent, note: typeof note === 'string' ? note : undefined };
}

/** The content of an event with the note of its hand-over, for an agent that reads contents alone. */
export function toldContent(
  event: Pick<NewEvent, 'actions' | 'customMetadata' | 'content'>,
): Content | undefined {
  const note = handOverOf(event)?.note;
  const { content } = event;
  if (note === undefined || content?.parts.some((part) => part.text === note)) return content;
  return { role: 'user', ...content, parts: [...(content?.parts ?? []), { text: note }] };
}

/**
 * Whether an agent's event is its answer, after which its turn is over. As ADK's `isFinalResponse`: text that
 * neither calls a tool nor answers one. `turnComplete` decides where it is given.
 */
export function endsTurn(
  event: Pick<Event, 'content' | 'partial' | 'turnComplete' | 'longRunningToolIds' | 'errorCode'>,
): boolean {
  if (event.turnComplete !== undefined) return event.turnComplete;
  if (event.partial === true || event.errorCode !== undefined || (event.longRunningToolIds ?? []).length > 0)
    return false;
  const parts = event.content?.parts ?? [];
  const works = parts.some((part) => part.functionCall !== undefined || part.functionResponse !== undefined);
  return !works && textOf(event) !== '';
}
