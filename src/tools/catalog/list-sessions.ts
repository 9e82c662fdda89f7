import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { SessionError } from '../../errors.ts';
import { parseFilter } from '../../model/filter.ts';
import { type Session, sessionOrders } from '../../model/session.ts';
import { parseTime } from '../../model/time.ts';
import { pageSize, pageToken } from '../support/args.ts';
import { defineTool } from '../support/define.ts';
import { pageResult, sessionBrief, showPage } from '../support/results.ts';

export const listSessions = defineTool({
  name: 'list_sessions',
  title: 'List sessions',
  description:
    'Lists the sessions (conversations) of a user in an app, the latest first, with previews of the first and last event. get_session shows state.',
  toolset: 'sessions',
  needs: ['sessions.list'],
  reach: 'user',
  input: () => ({
    query: z
      .string()
      .min(1)
      .max(2000)
      .optional()
      .describe('Words of the name or of events; best match first'),
    filter: z
      .string()
      .max(2000)
      .optional()
      .describe('Terms joined by AND: displayName="Trip" AND labels.env="dev"'),
    orderBy: z.enum(sessionOrders).default('updateTime desc').describe('Order of the list'),
    updatedAfter: z.string().optional().describe('RFC 3339'),
    updatedBefore: z.string().optional().describe('RFC 3339'),
    allUsers: z.boolean().optional().describe('true: sessions of all users; for admins'),
    pageSize: pageSize(),
    pageToken: pageToken(),
  }),
  output: () => z.object({ sessions: z.array(sessionBrief()), ...pageResult() }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const list = required(ctx.backend.sessions?.list, ctx.backend, 'list sessions');
    if (args.allUsers === true && !ctx.principal.admin)
      throw new SessionError('PERMISSION_DENIED', 'Only an admin can list the sessions of all users.', {
        hint: 'Leave allUsers out to list your own.',
      });
    const { query: text, updatedAfter, updatedBefore } = args;
    if (text !== undefined) required(ctx.backend.events?.search, ctx.backend, 'search sessions');
    const from = updatedAfter === undefined ? undefined : parseTime('updatedAfter', updatedAfter);
    const to = updatedBefore === undefined ? undefined : parseTime('updatedBefore', updatedBefore);
    // Services that cannot filter by time give pages of all times.
    const inTime = ({ updateTime }: Session) => {
      const ms = Date.parse(updateTime);
      return (from === undefined || ms > from) && (to === undefined || ms < to);
    };
    const filter = args.filter === undefined ? undefined : parseFilter(args.filter);
    const { app, userId } = ctx.owner;
    const { items, ...page } = await showPage(ctx, 'list_sessions', args, async (query) => {
      const found = await list({
        ...query,
        app,
        userId: args.allUsers === true ? undefined : userId,
        filter,
        orderBy: args.orderBy,
        text,
        updatedAfter,
        updatedBefore,
      });
      return {
        ...found,
        items: found.items.filter(inTime).map(({ state: _state, ...session }) => session),
      };
    });
    return { sessions: items, ...page };
  },
});
