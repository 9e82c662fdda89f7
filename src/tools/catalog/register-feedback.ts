import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { eventId, idText, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';

export const registerFeedback = defineTool({
  name: 'register_feedback',
  title: 'Register feedback',
  description: 'Stores a rating of an event or a run; get_event shows it.',
  toolset: 'query',
  needs: ['feedback.register'],
  reach: 'user',
  input: () => ({
    sessionId: sessionId(),
    eventId: eventId().optional(),
    invocationId: idText().optional().describe('Run to rate'),
    score: z.number().describe('Higher is better'),
    text: z.string().optional().describe('Reason'),
  }),
  output: () => z.object({ registered: z.boolean() }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run({ sessionId: id, ...feedback }, ctx) {
    const register = required(ctx.backend.feedback?.register, ctx.backend, 'register feedback');
    await register(refOf(ctx, { sessionId: id }), feedback);
    return { registered: true };
  },
});
