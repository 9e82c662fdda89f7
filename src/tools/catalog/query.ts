import * as z from 'zod';
import { required, type SessionRef, supports } from '../../backend/types.ts';
import { invalidArgument, SessionError } from '../../errors.ts';
import { answerBytes, fitTo, shownBytes } from '../../model/budget.ts';
import { type Content, contentFault, contentSchema, type Event } from '../../model/event.ts';
import type { JsonObject } from '../../model/json.ts';
import { type RunStatus, runStatuses } from '../../model/run.ts';
import { textFlow } from '../../run/coalesce-text.ts';
import { runNotFound } from '../../run/manager.ts';
import type { RunView, StartedRun } from '../../run/types.ts';
import { aliveMs } from '../support/alive.ts';
import { sessionId, state } from '../support/args.ts';
import { defineTool, refOf, type ToolContext } from '../support/define.ts';
import { asUser } from '../support/speaker.ts';

/** Bytes of an answer that the text may take; the rest is for the events. */
const textBytes = 9000;

/** Arguments of a message to an agent. Their descriptions are short because two tools publish them. */
export const runInput = () => ({
  sessionId: sessionId().optional(),
  message: z.string().optional().describe('Text of the user'),
  content: contentSchema()
    .optional()
    .meta({ brief: true, description: 'Or, instead of message, {role, parts}' }),
  stateDelta: state().optional().describe('State to set'),
  invocationId: z.string().optional().describe('Id of a run, or your own id for a new one'),
  agent: z.string().optional().describe('Which of the app’s agents'),
  waitSeconds: z.int().min(0).max(600).default(50).describe('Maximum wait'),
});

// The description of the tool already says what a result holds, so the schema stays short.
export const runOutput = () => z.object({ status: z.enum(runStatuses).meta({ brief: true }) });

/** What a run answers. */
export interface RunResult {
  status: RunStatus;
  invocationId?: string;
  sessionId?: string;
  events?: Event[];
  text?: string;
  note?: string | undefined;
  truncated?: boolean | undefined;
}

export const runHints = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: false,
  openWorldHint: true,
};

export interface RunArgs {
  sessionId?: string | undefined;
  message?: string | undefined;
  content?: Content | undefined;
  stateDelta?: Record<string, unknown> | undefined;
  invocationId?: string | undefined;
  agent?: string | undefined;
  cancel?: boolean | undefined;
  waitSeconds: number;
  classMethod?: string | undefined;
  input?: JsonObject | undefined;
}

export const query = defineTool({
  name: 'query',
  title: 'Ask an agent',
  description:
    'Runs the app’s agent on a message; it is no search (use search_memory, search_events). Without sessionId the session is new. A run that takes longer than waitSeconds continues, with status "running": use wait_for_events, then query with only its sessionId and invocationId. Cancelling the call ends the run, except with waitSeconds 0. Answer open tool calls by functionResponse parts in content.',
  toolset: 'query',
  needs: ['query.stream'],
  reach: 'user',
  speaksAs: asUser,
  waits: true,
  input: () => ({
    ...runInput(),
    cancel: z.boolean().optional().describe('true: cancel that run'),
    classMethod: z.string().optional().describe('Instead of a message: method of the agent to call'),
    input: z.record(z.string(), z.unknown()).optional().describe('Arguments of classMethod'),
  }),
  output: runOutput,
  annotations: runHints,
  async run({ input, ...args }, ctx) {
    if (args.classMethod === undefined) {
      if (input === undefined) return runAgent(args, ctx, () => {});
      throw invalidArgument(
        'input is given without classMethod.',
        'Name the method that takes it, or use stream_query.',
      );
    }
    const call = required(ctx.backend.query?.call, ctx.backend, 'call methods of an agent');
    if (args.message !== undefined || args.content !== undefined)
      throw invalidArgument(
        'Both classMethod and a message are given.',
        'Give classMethod and input, or a message.',
      );
    const output = await call(ctx.owner, { classMethod: args.classMethod, input: input ?? {} }, ctx.signal);
    const { value, truncated } = fitTo({ output }, answerBytes - 1000, 'ask the agent for less');
    return { status: 'completed' as const, ...value, truncated: truncated || undefined };
  },
});

/**
 * Runs an agent for a tool, or looks at a run, and answers how it stands when it has ended or the time is up.
 * Cancelling the call that began a run ends the run; a call that only looks ends its look, and a lost
 * connection ends nothing.
 */
export async function runAgent(
  args: RunArgs,
  ctx: ToolContext,
  onText: (text: string) => void,
): Promise<RunResult> {
  const run = args.cancel === true ? await cancelledRun(args, ctx) : await begin(args, ctx);
  const started = Date.now();
  let told = started;
  const alive = setInterval(() => {
    if (Date.now() - told < aliveMs) return;
    told = Date.now();
    ctx.progress(`The agent has been working for ${Math.round((told - started) / 1000)} s.`);
  }, 1000);
  const flow = textFlow((text) => {
    told = Date.now();
    onText(text);
  });
  try {
    const ms = args.waitSeconds * 1000;
    let view = await run.wait({ ms, signal: ctx.signal, onText: (text) => flow.push(text) });
    if (run.begun && ctx.signal.aborted && ctx.cancelled()) {
      await run.cancel();
      view = await run.wait({ ms: 0, signal: ctx.signal });
    }
    flow.flush();
    return show(view);
  } finally {
    clearInterval(alive);
  }
}

async function begin(args: RunArgs, ctx: ToolContext): Promise<StartedRun> {
  const { content, stateDelta, invocationId, agent, classMethod } = args;
  if (agent !== undefined && ctx.backend.runs === undefined)
    throw invalidArgument(
      `The ${ctx.backend.name} backend runs the one agent of the app.`,
      'Leave agent out, and name the app.',
    );
  // Agent Engine's own examples write the message into the input.
  const { message: inInput, ...others } = args.input ?? {};
  const text = args.message ?? (typeof inInput === 'string' ? inInput : undefined);
  const input = typeof inInput === 'string' ? others : args.input;
  if (args.message !== undefined && inInput !== undefined)
    throw invalidArgument('message is given twice, once in input.', 'Give one of them.');
  if ((classMethod !== undefined || input !== undefined) && !supports(ctx.backend, 'query.call'))
    throw invalidArgument(
      `Agents of the ${ctx.backend.name} backend have no methods of their own.`,
      'Leave classMethod and input out.',
    );
  if (text !== undefined && content !== undefined)
    throw invalidArgument('Both message and content are given.', 'Give one of them.');
  const fault = content?.parts.length === 0 ? 'content has no parts' : content && contentFault(content);
  if (fault !== undefined)
    throw invalidArgument(`${fault}.`, 'Give parts, each with exactly one kind of data.');
  const parts = text === undefined ? content?.parts : [{ text }];
  const message: Content | undefined = parts && { role: content?.role ?? 'user', parts };
  const writtenBy = ctx.principal.name;
  const request = { message, stateDelta, invocationId, agent, writtenBy, classMethod, input };
  if (args.sessionId !== undefined)
    return ctx.runs.start(ctx.backend, refOf(ctx, { sessionId: args.sessionId }), request);
  if (message === undefined)
    throw invalidArgument(
      'Neither message nor sessionId is given.',
      'Give a message to start a new session, or the sessionId of the session to continue.',
    );
  const { sessions } = ctx.backend;
  const create = required(
    sessions?.create,
    ctx.backend,
    'create sessions',
    'Pass the sessionId of an existing session.',
  );
  let made: SessionRef | undefined;
  const session = {
    userId: ctx.owner.userId,
    async create() {
      made = { ...ctx.owner, sessionId: (await create(ctx.owner, {})).id };
      return made;
    },
  };
  try {
    return await ctx.runs.start(ctx.backend, session, request);
  } catch (error) {
    // The caller does not know the new session yet, so it is removed when the run cannot start.
    if (made !== undefined) await sessions?.delete?.(made).catch(() => {});
    throw error;
  }
}

async function cancelledRun(args: RunArgs, ctx: ToolContext): Promise<StartedRun> {
  if (args.sessionId === undefined || args.invocationId === undefined)
    throw invalidArgument(
      'cancel needs sessionId and invocationId.',
      'Give both, as the result with status "running" had them.',
    );
  const run = await ctx.runs.find(ctx.backend, refOf(ctx, { sessionId: args.sessionId }), args.invocationId);
  if (run === undefined) throw runNotFound();
  await run.cancel();
  return { ...run, begun: false };
}

/** The answer within its budget: the text, and as many of the last events as fit beside it. */
function show(view: RunView): RunResult {
  const { status, invocationId, sessionId: id } = view;
  if (status === 'failed') throw failure(view);
  const text = fitTo({ text: view.text }, textBytes, 'list_events has all');
  let room = answerBytes - 1000 - shownBytes(text.value);
  const events: Event[] = [];
  const cutAt = text.truncated ? text.value.text.lastIndexOf('…[') : view.text.length;
  for (const event of withoutText(view.events, view.text, cutAt).toReversed()) {
    room -= shownBytes(event) + 1;
    if (room < 0) break;
    events.unshift(event);
  }
  const truncated = view.truncated || text.truncated || events.length < view.events.length;
  return {
    status,
    invocationId,
    sessionId: id,
    events,
    ...text.value,
    note: view.note,
    truncated: truncated || undefined,
  };
}

/** Events without what they say where the first `shown` characters of the run's text, in their order, say it. */
function withoutText(events: readonly Event[], text: string, shown: number): Event[] {
  let end = text.length;
  const rest = events.toReversed().map((event): Event => {
    const { content, ...others } = event;
    if (content === undefined) return event;
    const parts = content.parts.toReversed().filter((part) => {
      if (part.text === undefined || part.thought === true) return true;
      // Of a long text the event has the beginning.
      const [beginning = ''] = part.text.split('…[', 1);
      const at = beginning.length > end ? -1 : text.lastIndexOf(beginning, end - beginning.length);
      if (at < 0) return true;
      const last = beginning === part.text ? at + beginning.length : end;
      end = at;
      return last > shown;
    });
    if (parts.length === content.parts.length) return event;
    return parts.length === 0 ? others : { ...others, content: { ...content, parts: parts.toReversed() } };
  });
  return rest.toReversed();
}

/** The error of a run, with the ids of the session and run in its details. */
function failure({ error, invocationId, sessionId: id }: RunView): unknown {
  if (!(error instanceof SessionError)) return error;
  const { code, message, hint, retryAfter, details, cause } = error;
  return new SessionError(code, message, {
    hint,
    retryAfter,
    details: { ...details, sessionId: id, invocationId },
    cause,
  });
}
