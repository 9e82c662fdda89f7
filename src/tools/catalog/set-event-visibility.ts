import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { eventId, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { eventBrief, showEvent, truncated } from '../support/results.ts';

export const setEventVisibility = defineTool({
  name: 'set_event_visibility',
  title: 'Hide or show an event',
  description:
    'Hides an event from lists, agents and memory, or shows it again in its old place. A hidden event stays readable with get_event.',
  toolset: 'events',
  needs: ['events.setVisibility'],
  reach: 'user',
  input: () => ({
    sessionId: sessionId(),
    eventId: eventId(),
    hidden: z.boolean().describe('true hides, false shows again'),
  }),
  output: () => z.object({ event: eventBrief(), truncated: truncated() }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const set = required(ctx.backend.events?.setVisibility, ctx.backend, 'hide events');
    return showEvent(await set(refOf(ctx, args), args.eventId, args.hidden), 'concise');
  },
});
