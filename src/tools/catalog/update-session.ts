import * as z from 'zod';
import { required } from '../../backend/types.ts';
import { invalidArgument, SessionError } from '../../errors.ts';
import { maxTtlSeconds } from '../../model/session.ts';
import { claim, expectedRevision, expiryOf, labels, sessionId, state } from '../support/args.ts';
import { claimOn } from '../support/claim.ts';
import { defineTool, refOf } from '../support/define.ts';
import { sessionBrief, showSession, truncated } from '../support/results.ts';

export const updateSession = defineTool({
  name: 'update_session',
  title: 'Update a session',
  description:
    'Changes name, labels, state or expiry of a session; what is left out stays. append_event with stateDelta sets single state keys and keeps the history.',
  toolset: 'sessions',
  needs: ['sessions.update'],
  reach: 'user',
  input: () => ({
    sessionId: sessionId(),
    displayName: z.string().max(500).optional().describe('New name'),
    labels: labels(),
    state: state()
      .optional()
      .describe('Replaces all plain keys; user: and app: keys given are set, others stay'),
    ttlSeconds: z
      .int()
      .min(0)
      .max(maxTtlSeconds)
      .optional()
      .describe('Delete the session after this many seconds; 0: never'),
    expectedRevision: expectedRevision(),
    claim: claim(),
  }),
  output: () => z.object({ session: sessionBrief(), truncated: truncated() }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  async run({ sessionId: id, ttlSeconds: seconds, expectedRevision: revision, claim: held, ...change }, ctx) {
    const update = required(ctx.backend.sessions?.update, ctx.backend, 'update a session');
    if (seconds === 0 && ctx.backend.forgetsExpiry !== true)
      throw new SessionError('UNIMPLEMENTED', `The ${ctx.backend.name} backend cannot take an expiry away.`, {
        hint: 'Give a large ttlSeconds instead of 0.',
      });
    const expireTime = seconds === 0 ? undefined : expiryOf(seconds);
    const noExpiry = seconds === 0 || undefined;
    if (seconds === undefined && Object.values(change).every((value) => value === undefined))
      throw invalidArgument('There is nothing to change.', 'Give displayName, labels, state or ttlSeconds.');
    const session = await update(
      refOf(ctx, { sessionId: id }),
      { ...change, expireTime, noExpiry },
      { expectedRevision: revision, claim: claimOn(ctx.backend, held) },
    );
    return showSession(session, 'concise');
  },
});
