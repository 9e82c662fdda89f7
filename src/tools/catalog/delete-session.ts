import { createHash } from 'node:crypto';
import * as z from 'zod';
import { required, type SessionRef } from '../../backend/types.ts';
import { invalidArgument, quote, SessionError } from '../../errors.ts';
import { parseFilter } from '../../model/filter.ts';
import { counted } from '../../model/plural.ts';
import type { Session } from '../../model/session.ts';
import { parseTime } from '../../model/time.ts';
import { pagesOf } from '../../transfer/source.ts';
import { confirm, idText } from '../support/args.ts';
import { defineTool, refOf, type ToolContext } from '../support/define.ts';

/** Sessions that one call deletes. */
const most = 500;
/** Ids that the question shows. */
const mostNamed = 10;

export const deleteSession = defineTool({
  name: 'delete_session',
  title: 'Delete sessions',
  description:
    'Deletes sessions with their events, state and artifacts, for good. Asks the user first. Memories stay.',
  toolset: 'sessions',
  needs: ['sessions.get', 'sessions.delete'],
  reach: 'user',
  input: () => ({
    sessionId: idText().optional().describe('Session id'),
    sessionIds: z.array(idText()).min(1).max(most).optional().describe('Or several'),
    filter: z.string().max(2000).optional().describe('As in list_sessions'),
    updatedBefore: z.string().optional().describe('RFC 3339'),
    forgetMemories: z.boolean().optional().describe('true: forget their memories, too'),
    confirm: confirm(),
  }),
  output: () =>
    z.object({
      deleted: z.boolean(),
      sessionId: z.string().optional(),
      count: z.int(),
      memories: z.int().optional(),
      more: z.boolean().optional().describe('Call again for the rest'),
    }),
  annotations: { readOnlyHint: false, destructiveHint: true, idempotentHint: true, openWorldHint: false },
  async confirm(args, ctx) {
    const memories = await memoriesOf(ctx, args);
    if (args.sessionId !== undefined) {
      checkOne(args);
      const get = required(ctx.backend.sessions?.get, ctx.backend, 'get a session');
      const session = await get(refOf(ctx, { sessionId: args.sessionId }));
      const events =
        session.eventCount === undefined ? 'all its events' : `its ${counted(session.eventCount, 'event')}`;
      return {
        question: `Delete session ${quote(args.sessionId)} with ${events}${memories}? This cannot be undone.`,
        version: versionOf([session]),
      };
    }
    const { sessions, more } = await chosen(ctx, args);
    const named = sessions.slice(0, mostNamed).map(({ id }) => quote(id));
    const others =
      sessions.length > named.length ? ` and ${counted(sessions.length - named.length, 'other')}` : '';
    const which = sessions.length === 0 ? '' : `: ${named.join(', ')}${others}`;
    return {
      question: `Delete ${more ? 'the first ' : ''}${counted(sessions.length, 'session')}${which}${memories}? This cannot be undone.`,
      version: versionOf(sessions),
    };
  },
  async run(args, ctx) {
    const remove = required(ctx.backend.sessions?.delete, ctx.backend, 'delete a session');
    if (args.sessionId !== undefined) {
      checkOne(args);
      const { sessionId } = args;
      const ref = refOf(ctx, { sessionId });
      if (args.forgetMemories === true)
        await required(ctx.backend.sessions?.get, ctx.backend, 'get a session')(ref);
      const memories = await forget(ctx, args, [sessionId]);
      await remove(ref);
      return { deleted: true, sessionId, count: 1, memories };
    }
    const { sessions, more } = await chosen(ctx, args);
    const ids = sessions.map(({ id }) => id);
    const memories = await forget(ctx, args, ids);
    let count = 0;
    for (const sessionId of ids) {
      ctx.signal.throwIfAborted();
      if (await removeIfThere(remove, refOf(ctx, { sessionId }))) count += 1;
    }
    return { deleted: count > 0, count, memories, more: more || undefined };
  },
});

interface Choice {
  sessionId?: string | undefined;
  sessionIds?: string[] | undefined;
  filter?: string | undefined;
  updatedBefore?: string | undefined;
  forgetMemories?: boolean | undefined;
}

function checkOne({ sessionIds, filter, updatedBefore }: Choice): void {
  if (sessionIds !== undefined || filter !== undefined || updatedBefore !== undefined)
    throw invalidArgument(
      'It is not clear which sessions are meant.',
      'Give sessionId alone, or sessionIds, filter and updatedBefore, which must all hold.',
    );
}

/** The sessions that ids, filter and time name together. @throws SessionError INVALID_ARGUMENT when none is given */
async function chosen(ctx: ToolContext, args: Choice): Promise<{ sessions: Session[]; more: boolean }> {
  const { sessionIds, filter, updatedBefore } = args;
  if (sessionIds === undefined && filter === undefined && updatedBefore === undefined)
    throw invalidArgument('No session is named.', 'Give sessionId, sessionIds, filter or updatedBefore.');
  const list = required(ctx.backend.sessions?.list, ctx.backend, 'list sessions');
  const before = updatedBefore === undefined ? undefined : parseTime('updatedBefore', updatedBefore);
  const wanted = sessionIds === undefined ? undefined : new Set(sessionIds);
  const terms = filter === undefined ? undefined : parseFilter(filter);
  const sessions = new Map<string, Session>();
  const all = pagesOf((query) => list({ ...ctx.owner, ...query, filter: terms, updatedBefore }));
  for await (const session of all) {
    if (wanted !== undefined && !wanted.has(session.id)) continue;
    if (before !== undefined && Date.parse(session.updateTime) >= before) continue;
    if (sessions.size === most) return { sessions: [...sessions.values()], more: true };
    sessions.set(session.id, session);
    if (sessions.size === wanted?.size) break;
  }
  return { sessions: [...sessions.values()], more: false };
}

async function memoriesOf(ctx: ToolContext, { forgetMemories, sessionId }: Choice): Promise<string> {
  const count = ctx.backend.memory?.count;
  if (forgetMemories === true) {
    required(ctx.backend.memory?.deleteAll, ctx.backend, 'forget a session');
    return ', and forget what was remembered of it';
  }
  if (count === undefined || sessionId === undefined) return '';
  const made = await count(ctx.owner, { sessionIds: [sessionId] });
  return made === 0
    ? ''
    : ` (its ${counted(made, 'memory')} ${made === 1 ? 'stays' : 'stay'}; forgetMemories forgets what was remembered)`;
}

/** Before the sessions go: a call that was cut short and is repeated finds only what there still is. */
async function forget(
  ctx: ToolContext,
  { forgetMemories }: Choice,
  sessionIds: readonly string[],
): Promise<number | undefined> {
  if (forgetMemories !== true) return undefined;
  return required(ctx.backend.memory?.deleteAll, ctx.backend, 'forget a session')(ctx.owner, { sessionIds });
}

/** Whoever deletes by a filter does not mind that another was faster. */
async function removeIfThere(remove: (ref: SessionRef) => Promise<void>, ref: SessionRef): Promise<boolean> {
  try {
    await remove(ref);
    return true;
  } catch (error) {
    if (error instanceof SessionError && error.code === 'NOT_FOUND') return false;
    throw error;
  }
}

/** Changes with every session that is meant. */
const versionOf = (sessions: readonly Session[]): string =>
  createHash('sha256')
    .update(
      JSON.stringify(sessions.map((one) => [one.id, one.createTime, one.revision ?? one.updateTime]).sort()),
    )
    .digest('base64url')
    .slice(0, 16);
