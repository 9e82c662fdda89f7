import * as z from 'zod';
import { type Event, textOf } from './event.ts';
import { cutEnd, preview } from './text.ts';
import { turnSchema } from './turn.ts';

const eventPreviewSchema = () =>
  z
    .object({ id: z.string(), author: z.string(), timestamp: z.string(), text: z.string().optional() })
    .meta({ brief: true, description: 'id, author, timestamp and the beginning of its text' });
export type EventPreview = z.infer<ReturnType<typeof eventPreviewSchema>>;

export const sessionSchema = () =>
  z.object({
    id: z.string(),
    app: z.string(),
    userId: z.string(),
    displayName: z.string().optional(),
    description: z.string().optional(),
    labels: z.record(z.string(), z.string()).optional(),
    state: z.record(z.string(), z.unknown()).optional(),
    createTime: z.string(),
    updateTime: z.string(),
    expireTime: z.string().optional(),
    revision: z.int().optional(),
    eventCount: z.int().optional(),
    /** How the session began; lists have it. */
    firstEvent: eventPreviewSchema().optional(),
    lastEvent: eventPreviewSchema().optional(),
    forkedFrom: z
      .object({ backend: z.string(), sessionId: z.string(), eventId: z.string().optional() })
      .meta({ brief: true })
      .optional(),
    parentSessionId: z.string().optional(),
    /** Sessions split off from this one whose turn is open. */
    openParts: z.int().optional(),
    /** Partial, since an answer within a small budget shows the first of its fields. */
    turn: turnSchema()
      .partial()
      .meta({ brief: true, description: 'Whose turn it is, since when, who claimed it' })
      .optional(),
  });
export type Session = z.infer<ReturnType<typeof sessionSchema>>;

const previewLength = 120;

/** The line that a list shows of a session's first and last event. */
export function previewOf(event: Event): EventPreview {
  const said = textOf(event);
  // Cut before it is tidied: a text may have megabytes, and this runs with every append.
  const short = tidied(said, 2 * previewLength);
  const text = short.length > previewLength ? short : tidied(said, 1000);
  return {
    id: event.id,
    author: event.author,
    timestamp: event.timestamp,
    ...(text === '' ? {} : { text: preview(text, previewLength) }),
  };
}

/** The beginning of a text with single spaces. */
const tidied = (text: string, length: number): string =>
  cutEnd(text, length)
    .replace(/[^\S ]\s*| \s+/g, ' ')
    .trim();

export const sessionOrders = [
  'updateTime desc',
  'updateTime asc',
  'createTime desc',
  'createTime asc',
] as const;
export type SessionOrder = (typeof sessionOrders)[number];

/** Longest life that a session can be given, in seconds: ten years. */
export const maxTtlSeconds = 315_360_000;
