import type { JsonObject } from '../../model/json.ts';
import { withoutDeadline } from '../../net/deadline.ts';
import type { SessionRef } from '../types.ts';
import type { Vectara } from './client.ts';
import { sessionPath } from './paths.ts';
import { textField } from './wire.ts';

/** Milliseconds to wait for the answer to an interrupt. */
const interruptMs = 5000;

/** The path that takes the inputs of a session. */
export const eventsPath = (ref: SessionRef): string => `${sessionPath(ref)}/events`;

/**
 * Interrupts the agent when the caller gives up a run, by the signal or by leaving the loop. A run that was under
 * way before our message belongs to somebody else and goes on.
 */
export function openRun(vectara: Vectara, ref: SessionRef, session: JsonObject, signal: AbortSignal) {
  let ours = textField(session, 'status') !== 'running';
  let hasEnded = false;
  let stopping: Promise<unknown> | undefined;
  const stop = () => {
    if (ours && !hasEnded) stopping ??= interrupt(vectara, ref).catch(() => {});
  };
  signal.addEventListener('abort', stop, { once: true });
  return {
    begun() {
      ours = true;
    },
    finished() {
      hasEnded = true;
    },
    async close() {
      signal.removeEventListener('abort', stop);
      stop();
      await stopping;
    },
  };
}

function interrupt(vectara: Vectara, ref: SessionRef): Promise<unknown> {
  // The deadline of the cancelled call must not stop the interrupt that the cancelling sends.
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
