import * as z from 'zod';
import { idFault } from '../../model/ids.ts';
import { defaultPageSize, maxPageSize } from '../../model/page.ts';
import { maxTtlSeconds } from '../../model/session.ts';

/** An id. A text that no backend accepts as an id is refused before it reaches one. */
export const idText = () =>
  z.string().check((ctx) => {
    const fault = idFault(ctx.value);
    if (fault !== undefined) ctx.issues.push({ code: 'custom', message: fault, input: ctx.value });
  });

/** Arguments that several tools take. The same meaning has the same name and the same words everywhere. */
export const sessionId = () => idText().describe('Session id');
export const eventId = () => idText().describe('Event id');
export const app = () => idText().optional().describe('Default: the server’s');
export const userId = () => idText().optional().describe('Default: you');
export const pageSize = () =>
  z.int().min(1).max(maxPageSize).default(defaultPageSize).describe('Items per page');
export const pageToken = () => z.string().optional().describe('nextPageToken of the last page');
export const view = () =>
  z.enum(['concise', 'full']).default('concise').describe('concise cuts long values; full does not');
export const confirm = () =>
  z.boolean().optional().describe('true: the user has agreed (clients without forms)');
export const expectedRevision = () =>
  z.int().min(0).max(Number.MAX_SAFE_INTEGER).optional().describe('ABORTED if the session has another');
export const ttlSeconds = () =>
  z.int().min(1).max(maxTtlSeconds).optional().describe('Delete the session after this many seconds');
export const claim = () => z.string().optional().describe('From take_turn');
export const state = () => z.record(z.string(), z.unknown());
export const labels = () =>
  z.record(z.string(), z.string()).optional().describe('Lowercase key-value pairs to filter by');
export const scope = () =>
  z
    .record(z.string(), z.string())
    .optional()
    .describe('Pairs that keep memories apart; default: the backend’s');

/** The RFC 3339 time that is this many seconds from now. */
export const expiryOf = (seconds: number | undefined): string | undefined =>
  seconds === undefined ? undefined : new Date(Date.now() + seconds * 1000).toISOString();
