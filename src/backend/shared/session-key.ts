import type { SessionRef } from '../types.ts';

/** A text that is the same for the same session only: the key of maps by session. */
export const sessionKey = ({ app, userId, sessionId }: SessionRef): string =>
  JSON.stringify([app, userId, sessionId]);
