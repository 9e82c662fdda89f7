import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { eventId, sessionId, view } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { eventResult, showEvent, truncated } from '../support/results.ts';

export const getEvent = defineTool({
  name: 'get_event',
  title: 'Get an event',
  description: 'Shows one event of a session with all its fields.',
  toolset: 'events',
  needs: ['events.get'],
  reach: 'user',
  input: () => ({ sessionId: sessionId(), eventId: eventId(), view: view() }),
  output: () => z.object({ event: eventResult(), truncated: truncated() }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const get = required(ctx.backend.events?.get, ctx.backend, 'get an event');
    return showEvent(await get(refOf(ctx, args), args.eventId), args.view);
  },
});
