/** A task is named by its session and the event that began it, so that every server knows it without a list of its own. */
export interface TaskPlace {
  sessionId: string;
  eventId: string;
}

/** What the ids of events that were messages begin with. */
const messagePrefix = 'a2a:';

export const eventIdOf = (messageId: string): string => messagePrefix + messageId;
export const messageIdOf = (eventId: string): string => eventId.slice(messagePrefix.length);
export const isMessageEvent = (eventId: string): boolean => eventId.startsWith(messagePrefix);

export const taskIdOf = ({ sessionId, eventId }: TaskPlace): string =>
  Buffer.from(JSON.stringify([sessionId, messageIdOf(eventId)])).toString('base64url');

/** Undefined for an id that no task has. */
export function placeOfTask(taskId: string): TaskPlace | undefined {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(taskId, 'base64url').toString());
    if (!Array.isArray(parsed) || parsed.length !== 2) return undefined;
    const [sessionId, messageId]: unknown[] = parsed;
    if (typeof sessionId !== 'string' || typeof messageId !== 'string') return undefined;
    const place = { sessionId, eventId: eventIdOf(messageId) };
    // Another spelling of the same bytes is not the id of the task.
    return taskIdOf(place) === taskId ? place : undefined;
  } catch {
    return undefined;
  }
}
