import * as z from 'zod';
import { required, supports } from '../../backend/types.ts';
import { copySession } from '../../transfer/replay.ts';
import { idText, sessionId } from '../support/args.ts';
import { defineTool, refOf } from '../support/define.ts';
import { pageResult, sessionBrief, showSession } from '../support/results.ts';
import { chooseBackend } from '../support/routing.ts';

export const forkSession = defineTool({
  name: 'fork_session',
  title: 'Fork a session',
  description:
    'Copies a session, up to an event if one is named, into a new session of the same user: visible events under new ids, and the state as it was then. The source stays as it is.',
  toolset: 'sessions',
  needs: ['sessions.get', 'events.list'],
  offered: (backends) =>
    backends.some((from) => supports(from, 'sessions.fork')) ||
    (backends.some((from) => supports(from, 'events.list')) &&
      backends.some((to) => supports(to, 'events.append'))),
  reach: 'user',
  waits: true,
  input: {
    sessionId,
    upToEventId: idText().optional().describe('Last event to copy; default: all'),
    newSessionId: idText().optional().describe('Own id for the copy'),
    displayName: z.string().max(500).optional().describe('Name of the copy; default: that of the source'),
    toBackend: z.string().optional().describe('Backend of the copy; default: the same'),
    toApp: idText().optional().describe('App of the copy on another backend'),
  },
  output: z.object({ session: sessionBrief, truncated: pageResult.truncated }),
  annotations: { readOnlyHint: false, destructiveHint: false, idempotentHint: false, openWorldHint: false },
  async run({ sessionId: id, toBackend, toApp, ...options }, ctx) {
    const ref = refOf(ctx, { sessionId: id });
    const target = toBackend === undefined ? ctx.backend : chooseBackend(ctx.backends, toBackend);
    const native = ctx.backend.sessions?.fork;
    if (target === ctx.backend && native !== undefined && (toApp === undefined || toApp === ref.app))
      return showSession(await native(ref, options), 'concise');
    required(target.events?.append, target, 'take a copy of a session');
    const app = toApp ?? (target === ctx.backend ? ref.app : (target.defaultApp ?? ref.app));
    const session = await copySession(
      { backend: ctx.backend, ref },
      { backend: target, owner: { ...ref, app } },
      { ...options, signal: ctx.signal, progress: ctx.progress },
    );
    return showSession(session, 'concise');
  },
});
