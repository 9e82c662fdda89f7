import { setTimeout as sleep } from 'node:timers/promises';
import type { Event } from '../../model/event.ts';

/** Milliseconds to wait for an event's second frame. Servers send both frames together. */
const holdMs = 50;

/**
 * Joins the two frames in which Python servers stream an event with both content and artifacts. Both have the same
 * id; the first lacks the artifacts, the second the content.
 *
 * @param left is aborted when the caller leaves, which ends a read that waits for the next frame
 */
export async function* mergeArtifactFrames(
  events: AsyncGenerator<Event, void>,
  left: AbortController,
): AsyncGenerator<Event, void> {
  const take = () => {
    const next = events.next();
    // It is awaited later; without a handler a failure until then would end the process.
    next.catch(() => {});
    return next;
  };
  try {
    let next = take();
    for (;;) {
      const result = await next;
      if (result.done) return;
      let event = result.value;
      next = take();
      if (event.partial !== true && event.content !== undefined) {
        const following = await Promise.race([
          next.catch(() => undefined),
          sleep(holdMs, undefined, { ref: false }),
        ]);
        if (following !== undefined && !following.done && following.value.id === event.id) {
          event = { ...event, actions: { ...event.actions, ...following.value.actions } };
          next = take();
        }
      }
      yield event;
    }
  } finally {
    left.abort();
    await events.return();
  }
}
