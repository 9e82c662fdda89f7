import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { quote } from '../../errors.ts';
import { confirm, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';

export const deleteSession = defineTool({
  name: 'delete_session',
  title: 'Delete a session',
  description:
    'Deletes a session with its events, state and artifacts, for good. Asks the user first. Memories made of it stay.',
  toolset: 'sessions',
  needs: ['sessions.get', 'sessions.delete'],
  reach: 'user',
  input: { sessionId, confirm },
  output: z.object({ deleted: z.boolean(), sessionId: z.string() }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  async confirm(args, ctx) {
    const get = required(ctx.backend.sessions?.get, ctx.backend, 'get a session');
    const session = await get(refOf(ctx, args));
    const events = session.eventCount === undefined ? 'all its events' : `its ${session.eventCount} events`;
    return {
      question: `Delete session ${quote(args.sessionId)} with ${events}? This cannot be undone.`,
      version: `${session.createTime} ${session.revision ?? session.updateTime}`,
    };
  },
  async run(args, ctx) {
    const remove = required(ctx.backend.sessions?.delete, ctx.backend, 'delete a session');
    await remove(refOf(ctx, args));
    return { deleted: true, sessionId: args.sessionId };
  },
});
