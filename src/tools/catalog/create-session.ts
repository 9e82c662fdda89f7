import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { expiryOf, idText, labels, state, ttlSeconds } from '../support/args.ts';
import { defineTool } from '../support/define.ts';
import { sessionBrief, showSession, truncated } from '../support/results.ts';

export const createSession = defineTool({
  name: 'create_session',
  title: 'Create a session',
  description:
    'Creates a session, the handle of one conversation, and returns its id for the other tools. It lives until it is deleted or expires; other agents of the same user can go on with it by its id.',
  toolset: 'sessions',
  needs: ['sessions.create'],
  reach: 'user',
  makes: true,
  input: () => ({
    sessionId: idText()
      .optional()
      .describe('Your own id instead of a generated one; ALREADY_EXISTS if taken'),
    displayName: z.string().max(500).optional().describe('Name for people'),
    labels: labels(),
    state: state()
      .optional()
      .describe(
        'Initial state. Keys: plain = this session, user: = all sessions of the user, app: = all of the app',
      ),
    ttlSeconds: ttlSeconds(),
    parentSessionId: idText()
      .optional()
      .describe('Makes it a part of that session, whose turn waits for the turns of its parts'),
  }),
  output: () => z.object({ session: sessionBrief(), truncated: truncated() }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run({ ttlSeconds: seconds, ...args }, ctx) {
    const create = required(ctx.backend.sessions?.create, ctx.backend, 'create sessions');
    if (args.parentSessionId !== undefined)
      required(ctx.backend.turns?.take, ctx.backend, 'make parts of a session');
    const session = await create(ctx.owner, { ...args, expireTime: expiryOf(seconds) });
    return showSession(session, 'concise');
  },
});
