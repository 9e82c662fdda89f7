import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { quote } from '../../errors.ts';
import { confirm, eventId, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';

export const deleteEvent = defineTool({
  name: 'delete_event',
  title: 'Delete an event',
  description:
    'Deletes one event of a session for good; state that it set stays. Asks the user first. To take it out of sight only, use set_event_visibility.',
  toolset: 'events',
  needs: ['events.get', 'events.delete'],
  reach: 'user',
  input: () => ({ sessionId: sessionId(), eventId: eventId(), confirm: confirm() }),
  output: () => z.object({ deleted: z.boolean(), eventId: z.string() }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  async confirm(args, ctx) {
    const get = required(ctx.backend.events?.get, ctx.backend, 'get an event');
    const event = await get(refOf(ctx, args), args.eventId);
    return {
      question: `Delete event ${quote(args.eventId)} of session ${quote(args.sessionId)}? This cannot be undone.`,
      version: `${event.timestamp} ${event.hidden === true}`,
    };
  },
  async run(args, ctx) {
    const remove = required(ctx.backend.events?.delete, ctx.backend, 'delete an event');
    await remove(refOf(ctx, args), args.eventId);
    return { deleted: true, eventId: args.eventId };
  },
});
