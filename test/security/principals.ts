import * as z from 'zod';
import type { Tool } from '../../src/tools/support/define.ts';
import type { Product } from '../server/http/harness.ts';
import { as, type Json, legacyRequest, modernRequest, resultOf, send } from '../server/http/requests.ts';

/** Calls tools as a user, on either era, and resolves to the unchanged answer. */
export type Caller = (name: string, args: Json) => Promise<{ status: number; body: string }>;

export function callerOf(product: Product, user: string, session?: string): Caller {
  return async (name, args) => {
    const params = { name, arguments: args };
    const sent =
      session === undefined
        ? modernRequest('tools/call', params)
        : legacyRequest(session, 'tools/call', params);
    const answer = await send(product.port, as(user, sent));
    return { status: answer.status, body: JSON.stringify(resultOf(answer)) };
  };
}

/** The structured result of a call that must succeed. */
export async function structured(call: Caller, name: string, args: Json): Promise<Json> {
  const { body } = await call(name, args);
  const { result } = JSON.parse(body) as { result?: { isError?: boolean; structuredContent?: Json } };
  if (result?.structuredContent === undefined || result.isError)
    throw new Error(`${name} failed: ${body.slice(0, 400)}`);
  return result.structuredContent;
}

/** Ids of one user's objects, by the names of the arguments that take them. */
export type Ids = Record<string, string>;

/** Names of the tools that a user has. */
export async function toolsOf(product: Product, user: string): Promise<Set<string>> {
  const answer = resultOf(await send(product.port, as(user, modernRequest('tools/list'))));
  const { tools } = answer.result as { tools: { name: string }[] };
  return new Set(tools.map((tool) => tool.name));
}

/**
 * Creates one object of each kind that has an id for a user, as far as there are tools for it. All texts contain the
 * canary.
 */
export async function furnish(call: Caller, canary: string, tools?: ReadonlySet<string>): Promise<Ids> {
  const has = (tool: string) => tools === undefined || tools.has(tool);
  const { session } = (await structured(call, 'create_session', {
    displayName: canary,
    state: { secret: canary },
  })) as { session: { id: string } };
  const sessionId = session.id;
  const tail = sessionId.slice(-8).padStart(8, '0');
  // Kinds that this backend does not have get an id that exists nowhere.
  let event = { id: `none-${tail}`, invocationId: `none-${tail}` };
  const toolCallId = `call-${tail}`;
  if (has('append_event')) {
    const first = await structured(call, 'append_event', { sessionId, text: `${canary} first` });
    event = (first as { event: typeof event }).event;
    const functionCall = { id: toolCallId, name: 'lookup', args: { canary } };
    const content = { role: 'model', parts: [{ functionCall }] };
    await structured(call, 'append_event', { sessionId, author: 'agent', content });
  }
  const name = `report-${tail}`;
  if (has('save_artifact')) await structured(call, 'save_artifact', { sessionId, name, text: canary });
  let memoryId = `none-${tail}`;
  if (has('create_memory')) {
    const made = await structured(call, 'create_memory', { fact: `${canary} likes tea` });
    memoryId = (made as { memory: { id: string } }).memory.id;
  }
  return {
    sessionId,
    eventId: event.id,
    upToEventId: event.id,
    toEventId: event.id,
    afterEventId: event.id,
    invocationId: event.invocationId,
    memoryId,
    newSessionId: sessionId,
    parentSessionId: sessionId,
    toolCallId,
    name,
  };
}

/** All data of a user as text; equal texts mean that nothing has changed. */
export async function inventory(
  call: Caller,
  { sessionId, name }: Ids,
  tools?: ReadonlySet<string>,
): Promise<string> {
  const parts: [string, Json][] = [
    ['list_sessions', { pageSize: 100 }],
    ['get_session', { sessionId }],
    ['list_events', { sessionId, view: 'full', includeHidden: true }],
    ['list_tool_calls', { sessionId }],
    ['list_artifacts', { sessionId }],
    ['get_artifact', { sessionId, name }],
    ['list_memories', {}],
  ];
  const all: Json[] = [];
  for (const [tool, args] of parts)
    if (tools === undefined || (tools.has(tool) && (tool !== 'get_artifact' || tools.has('save_artifact'))))
      all.push(await structured(call, tool, args));
  // All users share the state of the app, and agents change it.
  return JSON.stringify(all).replace(/"app:[^"]+":\d+,?/g, '');
}

/** Ids that exist nowhere, of the same form. */
export const strangerIds = (ids: Ids): Ids => {
  const random = () => Math.random().toString(36).slice(2, 10);
  return Object.fromEntries(
    Object.entries(ids).map(([key, id]) => [key, id.slice(0, -8) + random().padEnd(8, 'q')]),
  );
};

/** Names of arguments that take an id. */
export function idArgs(tool: Tool): string[] {
  const own = Object.keys(tool.input()).filter(
    (name) => /Ids?$/.test(name) || (name === 'name' && tool.toolset === 'artifacts'),
  );
  return 'outputs' in tool.input() ? [...own, 'toolCallId'] : own;
}

/** Values for arguments that are not ids, so that a call does something. */
const plain: Json = {
  text: 'probe',
  message: 'probe',
  agent: 'echo',
  fact: 'probe',
  query: 'likes tea',
  hidden: true,
  score: 1,
  displayName: 'probe',
  timeoutSeconds: 0,
  waitSeconds: 5,
  confirm: true,
};

/** Arguments with ids that the caller chooses; they are left out unless they are tested. */
const chosen: Record<string, readonly string[]> = {
  create_session: ['sessionId', 'parentSessionId'],
  fork_session: ['newSessionId', 'upToEventId'],
  append_event: ['eventId', 'invocationId'],
  query: ['invocationId'],
  stream_query: ['invocationId'],
};

/** Arguments for a call with these ids: all that refer to an object, and those that are tested. */
export function argsFor(tool: Tool, ids: Ids, under: readonly string[]): Json {
  const args: Json = {};
  for (const [name, schema] of Object.entries(tool.input())) {
    const isOptional = z.safeParse(schema, undefined).success;
    if (name === 'sessionIds') {
      // Ids that are not there are passed over; they are tested alone.
      if (under.includes(name)) args.sessionIds = [ids.sessionId];
    } else if (name === 'outputs') args.outputs = [{ toolCallId: ids.toolCallId, output: { probe: true } }];
    else if (name in plain) args[name] = plain[name];
    else if (name in ids && (under.includes(name) || !chosen[tool.name]?.includes(name)))
      args[name] = ids[name];
    else if (!isOptional) throw new Error(`Say in test/security what ${tool.name} gets as ${name}.`);
  }
  return args;
}

/** An answer without what differs between any two calls: given ids, new ids, times and counts. */
export function normal(body: string, ids: Ids): string {
  let text = body;
  for (const id of new Set(Object.values(ids))) text = text.replaceAll(id, '<given>');
  return text
    .replace(/\b(?:[a-z]\d{18,21}|[ei]\d+-\d{9})\b/g, '<id>')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, '<time>')
    .replace(/\\?"(revision|eventCount|version|lastRevision)\\?":\d+/g, '<count>')
    .replace(/[0-9a-f]{64}/g, '<hash>');
}
