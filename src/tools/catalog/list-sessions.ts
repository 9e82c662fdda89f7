import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { SessionError } from '../../errors.ts';
import { parseFilter } from '../../model/filter.ts';
import { sessionOrders } from '../../model/session.ts';
import { pageSize, pageToken } from '../support/args.ts';
import { defineTool } from '../support/define.ts';
import { pageResult, sessionBrief, showPage } from '../support/results.ts';

export const listSessions = defineTool({
  name: 'list_sessions',
  title: 'List sessions',
  description:
    'Lists the sessions (conversations) of a user in an app, the latest first, with a preview of the last event where the backend has one. State is not shown: use get_session.',
  toolset: 'sessions',
  needs: ['sessions.list'],
  reach: 'user',
  input: {
    filter: z
      .string()
      .max(2000)
      .optional()
      .describe('Terms joined by AND: displayName="Trip" AND labels.env="dev"'),
    orderBy: z.enum(sessionOrders).default('updateTime desc').describe('Order of the list'),
    allUsers: z.boolean().optional().describe('true: sessions of all users; for admins'),
    pageSize,
    pageToken,
  },
  output: z.object({ sessions: z.array(sessionBrief), ...pageResult }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const list = required(ctx.backend.sessions?.list, ctx.backend, 'list sessions');
    if (args.allUsers === true && !ctx.principal.admin)
      throw new SessionError('PERMISSION_DENIED', 'Only an admin can list the sessions of all users.', {
        hint: 'Leave allUsers out to list your own.',
      });
    const filter = args.filter === undefined ? undefined : parseFilter(args.filter);
    const { app, userId } = ctx.owner;
    const { items, ...page } = await showPage(ctx, 'list_sessions', args, async (query) => {
      const found = await list({
        ...query,
        app,
        userId: args.allUsers === true ? undefined : userId,
        filter,
        orderBy: args.orderBy,
      });
      return { ...found, items: found.items.map(({ state: _state, ...session }) => session) };
    });
    return { sessions: items, ...page };
  },
});
