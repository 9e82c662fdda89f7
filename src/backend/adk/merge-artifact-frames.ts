import { setTimeout as sleep } from 'node:timers/promises';
import type { Event } from '../../model/event.ts';

/** Milliseconds that an event is held back in case its second half follows; both are sent in one go. */
const holdMs = 50;

/**
 * Python servers stream an event that has both content and artifacts as two frames with one id, the first
 * without the artifacts, the second without the content. Makes one event of them again.
 *
 * @param left is aborted when the caller leaves: only that wakes a read that waits for the next frame
 */
export async function* mergeArtifactFrames(
  events: AsyncGenerator<Event, void>,
  left: AbortController,
): AsyncGenerator<Event, void> {
  const take = () => {
    const next = events.next();
    // It is awaited below; until then a failure must not count as unhandled.
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
