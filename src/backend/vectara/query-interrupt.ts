import type { JsonObject } from '../../model/json.ts';
import { withoutDeadline } from '../../net/deadline.ts';
import type { SessionRef } from '../types.ts';
import type { Vectara } from './client.ts';
import { sessionPath } from './paths.ts';
import { textField } from './wire.ts';

/** Milliseconds that a cancelled run gets to stop by itself. */
const interruptMs = 5000;

/** Where inputs go. */
export const eventsPath = (ref: SessionRef): string => `${sessionPath(ref)}/events`;

/**
 * Watches over a run: when the caller gives it up, by the signal or by leaving the loop, the agent is told to
 * stop. A run that was there before our message is somebody else's and goes on.
 */
export function openRun(vectara: Vectara, ref: SessionRef, session: JsonObject, signal: AbortSignal) {
  let ours = textField(session, 'status') !== 'running';
  let over = false;
  let stopping: Promise<unknown> | undefined;
  const stop = () => {
    if (ours && !over) stopping ??= interrupt(vectara, ref).catch(() => {});
  };
  signal.addEventListener('abort', stop, { once: true });
  return {
    isOurs() {
      ours = true;
    },
    over() {
      over = true;
    },
    async close() {
      signal.removeEventListener('abort', stop);
      stop();
      await stopping;
    },
  };
}

function interrupt(vectara: Vectara, ref: SessionRef): Promise<unknown> {
  // The call that is given up has ended, and this is sent because of it.
  return withoutDeadline(() =>
    vectara.json('interact', {
      method: 'POST',
      path: eventsPath(ref),
      retry: 'none',
      timeoutMs: interruptMs,
      body: { type: 'interrupt', stream_response: false },
    }),
  );
}
