import * as z from 'zod';
import type { Appended } from '../../backend/types.ts';
import { artifactSchema } from '../../model/artifact.ts';
import { answerBytes, countFitting, fitTo } from '../../model/budget.ts';
import type { Content, Event } from '../../model/event.ts';
import { canonicalJson, type JsonObject } from '../../model/json.ts';
import { type Memory, memorySchema } from '../../model/memory.ts';
import { openPageToken, type Page, type PageQuery, sealPageToken } from '../../model/page.ts';
import { type Session, sessionSchema } from '../../model/session.ts';
import { toolCallSchema } from '../../model/tool-call.ts';
import type { ToolContext } from './define.ts';

/** An event as tools publish it: the most common fields. ADK's further fields are passed on unchanged. */
export const eventResult = () =>
  z
    .object({
      id: z.string(),
      author: z.string(),
      invocationId: z.string(),
      timestamp: z.string(),
      content: z.record(z.string(), z.unknown()).optional(),
      actions: z.record(z.string(), z.unknown()).optional(),
      hidden: z.boolean().optional(),
      writtenBy: z.string().optional(),
    })
    .meta({
      brief: true,
      description: 'id, author, invocationId, timestamp, content {role, parts}, actions, hidden, writtenBy',
    });

/** The same in short, for tools where an event is not the main result. */
export const eventBrief = () => eventResult().meta({ brief: true, description: 'As in get_event' });
/** In words, as the items of lists: see `memoryItem`. */
export const sessionResult = () =>
  sessionSchema().meta({
    brief: true,
    description:
      'id, app, userId, displayName, labels, state, createTime, updateTime, expireTime, revision, eventCount, lastEvent, turn (whose it is, since when, who claimed it), openParts, parentSessionId, forkedFrom',
  });
export const sessionBrief = () =>
  sessionSchema().meta({
    brief: true,
    description: 'As in get_session',
  });
/** A list says what its items have in words: their schemas would cost five times as many tokens. */
export const memoryItem = () =>
  memorySchema().meta({
    brief: true,
    description:
      'id, fact, scope, createTime, updateTime, source, score (higher is closer) or distance (lower is)',
  });
export const artifactItem = () =>
  artifactSchema().meta({
    brief: true,
    description: 'name, version, mimeType, sizeBytes, sha256, createTime',
  });
export const toolCallItem = () =>
  toolCallSchema().meta({
    brief: true,
    description: 'id, name, args, eventId, author, invocationId, createTime, longRunning',
  });
export const memoryBrief = () => memorySchema().meta({ brief: true, description: 'As in search_memory' });
export const artifactBrief = () =>
  artifactSchema().meta({ brief: true, description: 'As in list_artifacts' });

/** What a caller does not know of an event that it has just appended. */
export const appendedResult = () =>
  z.object({
    event: z.object({
      id: z.string(),
      invocationId: z.string(),
      timestamp: z.string(),
      toolCallIds: z.array(z.string()).optional(),
    }),
    session: z.object({ revision: z.int().optional() }),
  });

/** Long values were cut: the result itself says where. */
export const truncated = () => z.boolean().meta({ unpublished: true }).optional();

/** The end of every list: how to go on, and whether values were cut. */
export const pageResult = () => ({ nextPageToken: z.string().optional(), truncated: truncated() });

type View = 'concise' | 'full';

/** Bytes that one event or session may have in a list before its long values are cut. */
const itemBytes = 3000;
/** Bytes of a page of whole items. */
const fullBytes = 200_000;

export interface Shown<T> {
  items: T[];
  nextPageToken?: string | undefined;
  truncated?: boolean | undefined;
}

/** The page tokens of one list: they open no other, and not for another caller. */
export function pageTokens(ctx: ToolContext, tool: string, query: JsonObject) {
  const binding = canonicalJson([ctx.principal.userId, ctx.backend.name, ctx.owner, tool, query]);
  return {
    open: (token: string) => openPageToken(ctx.secret, binding, token),
    seal: (cursor: string) => sealPageToken(ctx.secret, binding, cursor),
  };
}

/**
 * One page for a caller: opens its token, cuts long values, ends the page where the budget for an answer
 * does, and seals the way to the next.
 */
export async function showPage<T>(
  ctx: ToolContext,
  tool: string,
  args: JsonObject & { pageSize: number; pageToken?: string | undefined },
  load: (query: PageQuery) => Promise<Page<T>>,
  how = 'shown whole by its get tool',
): Promise<Shown<T>> {
  const { pageSize, pageToken, ...query } = args;
  const tokens = pageTokens(ctx, tool, query);
  const cursor = pageToken === undefined ? undefined : tokens.open(pageToken);
  const full = args.view === 'full';
  const cut = (page: Page<T>) =>
    page.items.map((item) => fitTo(item, full ? Number.POSITIVE_INFINITY : itemBytes, how));
  let page = await load({ pageSize, cursor });
  let shown = cut(page);
  const fitting = countFitting(shown, full ? fullBytes : answerBytes - 1000);
  if (fitting < shown.length) {
    // Only the backend can say where a shorter page ends, so it is asked for one.
    page = await load({ pageSize: fitting, cursor });
    shown = cut(page);
  }
  return {
    items: shown.map((s) => s.value),
    nextPageToken: page.cursor === undefined ? undefined : tokens.seal(page.cursor),
    truncated: shown.some((s) => s.truncated) || undefined,
  };
}

/** A memory without its scope where that is the one that a call without a scope means. */
export function withoutDefaults(ctx: ToolContext, { scope, ...memory }: Memory): Memory {
  const usual = canonicalJson({ app_name: ctx.owner.app, user_id: ctx.owner.userId });
  return scope === undefined || canonicalJson(scope) === usual ? memory : { ...memory, scope };
}

/** One event in an answer. */
export function showEvent(event: Event, view: View): { event: Event; truncated?: boolean | undefined } {
  if (view === 'full') return { event };
  const { value, truncated } = fitTo(event, answerBytes - 1000, 'get_event with view: "full" has all');
  return { event: value, truncated: truncated || undefined };
}

/** The answer to the append of an event with the content `sent`; ids of tool calls only where the backend filled one in. */
export function showAppended(
  { event, session }: Appended,
  sent: Content | undefined,
): z.infer<ReturnType<typeof appendedResult>> {
  const { id, invocationId, timestamp } = event;
  const toolCallIds = callIds(event.content);
  const known = toolCallIds.join() === callIds(sent).join();
  return {
    event: { id, invocationId, timestamp, ...(known ? {} : { toolCallIds }) },
    session: { revision: session.revision },
  };
}

const callIds = (content: Content | undefined): string[] =>
  (content?.parts ?? []).flatMap(
    ({ functionCall, functionResponse }) => functionCall?.id ?? functionResponse?.id ?? [],
  );

/** One session in an answer, with as much of its state as has room. */
export function showSession(
  session: Session,
  view: View,
): { session: Session; truncated?: boolean | undefined } {
  if (view === 'full') return { session };
  const { value, truncated } = fitTo(session, answerBytes - 1000, 'get_session with view: "full" has all');
  return { session: value, truncated: truncated || undefined };
}
