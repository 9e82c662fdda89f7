import * as z from 'zod';
import { required, supports } from '../../backend/types.ts';
import { forkSession as copySession } from '../../transfer/fork.ts';
import { idText, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { sessionBrief, showSession, truncated } from '../support/results.ts';
import { chooseBackend } from '../support/routing.ts';

/** Well before clients give up (60 s); what is left is for the answer. */
const pauseAfterMs = 40_000;

export const forkSession = defineTool({
  name: 'fork_session',
  title: 'Fork a session',
  description:
    'Copies a session, whole or up to an event, into a new session of the same user: visible events, the state as it was then, artifacts. user: and app: state is not copied to another backend. The source stays as it is.',
  toolset: 'sessions',
  needs: ['sessions.get', 'events.list'],
  offered: (backends) =>
    backends.some((from) => supports(from, 'sessions.fork')) ||
    (backends.some((from) => supports(from, 'events.list')) &&
      backends.some((to) => supports(to, 'events.append'))),
  reach: 'user',
  waits: true,
  input: () => ({
    sessionId: sessionId(),
    upToEventId: idText().optional().describe('Last event to copy; default: all'),
    newSessionId: idText()
      .optional()
      .describe('Your own id for the copy; the id of a partial copy continues it'),
    displayName: z.string().max(500).optional().describe('Name of the copy; default: the name of the source'),
    toBackend: z.string().optional().describe('Backend of the copy; default: the same'),
    toApp: idText().optional().describe('App of the copy on another backend'),
  }),
  output: () =>
    z.object({
      session: sessionBrief(),
      status: z.enum(['completed', 'partial']).describe('partial: call again as notes say'),
      notes: z.array(z.string()).optional().describe('What the copy lacks or differs in'),
      truncated: truncated(),
    }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run({ sessionId: id, toBackend, toApp, ...options }, ctx) {
    const ref = refOf(ctx, { sessionId: id });
    const target = toBackend === undefined ? ctx.backend : chooseBackend(ctx.backends, toBackend);
    const native = ctx.backend.sessions?.fork;
    if (target === ctx.backend && native !== undefined && (toApp === undefined || toApp === ref.app))
      return { ...showSession(await native(ref, options), 'concise'), status: 'completed' as const };
    required(target.events?.append, target, 'take a copy of a session');
    const app = toApp ?? (target === ctx.backend ? ref.app : (target.defaultApp ?? ref.app));
    const { session, status, notes } = await copySession(
      { backend: ctx.backend, ref },
      { backend: target, owner: { ...ref, app } },
      { ...options, signal: ctx.signal, progress: ctx.progress, pause: AbortSignal.timeout(pauseAfterMs) },
    );
    return { ...showSession(session, 'concise'), status, notes };
  },
});
