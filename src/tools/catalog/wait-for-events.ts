import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { withDeadline } from '../../net/deadline.ts';
import { aliveMs } from '../support/alive.ts';
import { idText, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { eventBrief, showPage, truncated } from '../support/results.ts';

/** How often a backend that does not announce changes is polled. */
const pollMs = 1500;
/** Milliseconds that a look may take after the time is up: with the default wait it ends before clients give up. */
const lookMs = 20_000;

export const waitForEvents = defineTool({
  name: 'wait_for_events',
  title: 'Wait for events',
  description:
    'Waits until a session has events after afterEventId, from whichever agent or process, and returns them; or returns none when the time is up. Pass lastEventId as the next afterEventId.',
  toolset: 'events',
  needs: ['events.list'],
  reach: 'user',
  waits: true,
  input: () => ({
    sessionId: sessionId(),
    afterEventId: idText().optional().describe('Last event you know; default: none, so any event counts'),
    timeoutSeconds: z.int().min(0).max(300).default(25).describe('Maximum wait; many clients allow 60'),
    pageSize: z.int().min(1).max(100).default(20).describe('Maximum number of events'),
  }),
  output: () =>
    z.object({
      events: z.array(eventBrief()),
      lastEventId: z.string().optional(),
      timedOut: z.boolean(),
      truncated: truncated(),
    }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const list = required(ctx.backend.events?.list, ctx.backend, 'list events');
    const ref = refOf(ctx, args);
    const deadline = Date.now() + args.timeoutSeconds * 1000;
    const look = () =>
      showPage(
        ctx,
        'wait_for_events',
        { pageSize: args.pageSize },
        (query) => list(ref, { ...query, afterEventId: args.afterEventId }),
        'get_event has all',
      );
    const change = changes(ctx.backend.sessions?.watch?.bind(undefined, ref), ctx.signal);
    try {
      for (;;) {
        // The watch starts before the list is read, so that an event in between ends the wait at once.
        const changed = change.next();
        const ms = Math.max(deadline - Date.now(), Math.min(ctx.callMs, lookMs));
        const { items, truncated } = await withDeadline({ ms }, look);
        const left = deadline - Date.now();
        if (items.length > 0 || left <= 0 || ctx.signal.aborted)
          return {
            events: items,
            lastEventId: items.at(-1)?.id ?? args.afterEventId,
            timedOut: items.length === 0,
            truncated,
          };
        await changed(Math.min(left, aliveMs));
        ctx.progress('Waiting for events.');
      }
    } finally {
      change.stop();
    }
  },
});

/** Waits until something may have changed, for at most so many milliseconds: by a watch, or by polling. */
function changes(watch: ((onChange: () => void) => () => void) | undefined, signal: AbortSignal) {
  let wake: () => void = () => {};
  const onAbort = () => wake();
  const unwatch = watch?.(() => wake());
  signal.addEventListener('abort', onAbort);
  return {
    next() {
      let changed = signal.aborted;
      wake = () => {
        changed = true;
      };
      return (ms: number) =>
        new Promise<void>((resolve) => {
          if (changed) return resolve();
          const timer = setTimeout(resolve, watch === undefined ? Math.min(ms, pollMs) : ms);
          wake = () => {
            clearTimeout(timer);
            resolve();
          };
        });
    },
    stop() {
      unwatch?.();
      signal.removeEventListener('abort', onAbort);
    },
  };
}
