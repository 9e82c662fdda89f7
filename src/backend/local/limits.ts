import { SessionError } from '../../errors.ts';

/** The largest object of the local store, in bytes of JSON text. */
export const maxEventBytes = 4 * 1024 * 1024;
/** Room for what an event gets after it was stored: feedback, and another id in a copy. */
export const maxCopiedEventBytes = maxEventBytes + 2 * 1024 * 1024;
export const maxStateBytes = 1024 * 1024;
export const maxArtifactBytes = 16 * 1024 * 1024;
/** In characters. */
export const maxFactLength = 10_000;

/** @throws SessionError RESOURCE_EXHAUSTED */
export function checkSize(what: string, bytes: number, most: number, hint: string): void {
  if (bytes > most)
    throw new SessionError('RESOURCE_EXHAUSTED', `${what} has ${bytes} bytes; at most ${most} fit.`, {
      hint,
    });
}
