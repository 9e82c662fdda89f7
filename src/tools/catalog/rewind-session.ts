import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { invalidArgument } from '../../errors.ts';
import { expectedRevision, idText, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';

export const rewindSession = defineTool({
  name: 'rewind_session',
  title: 'Rewind a session',
  description:
    'Hides all events after one, and sets the session’s own state and open tool calls to what they were then. Can be undone until the session changes.',
  toolset: 'sessions',
  needs: ['sessions.rewind'],
  reach: 'user',
  input: () => ({
    sessionId: sessionId(),
    toEventId: idText().optional().describe('Last event that stays'),
    undo: z.boolean().optional().describe('true: take the last rewinding back'),
    expectedRevision: expectedRevision(),
  }),
  output: () =>
    z.object({
      events: z.int().describe('Events hidden or shown again'),
      session: z.object({ revision: z.int().optional() }),
    }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run(args, ctx) {
    const rewind = required(ctx.backend.sessions?.rewind, ctx.backend, 'rewind a session');
    const { toEventId: eventId, undo } = args;
    if ((eventId === undefined) === (undo !== true))
      throw invalidArgument(
        'It is not clear what to go back to.',
        'Give toEventId, or undo: true, and not both.',
      );
    const to = eventId === undefined ? { undo: true as const } : { eventId };
    const { events, session } = await rewind(refOf(ctx, args), to, {
      expectedRevision: args.expectedRevision,
    });
    return { events, session: { revision: session.revision } };
  },
});
