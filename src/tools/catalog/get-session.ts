import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { sessionId, view } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { sessionResult, showSession, truncated } from '../support/results.ts';

export const getSession = defineTool({
  name: 'get_session',
  title: 'Get a session',
  description:
    'Shows a session with its state (own, user: and app: keys) and, where the backend counts them, its revision and number of events.',
  toolset: 'sessions',
  needs: ['sessions.get'],
  reach: 'user',
  input: () => ({ sessionId: sessionId(), view: view() }),
  output: () => z.object({ session: sessionResult(), truncated: truncated() }),
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  async run(args, ctx) {
    const get = required(ctx.backend.sessions?.get, ctx.backend, 'get a session');
    return showSession(await get(refOf(ctx, args)), args.view);
  },
});
