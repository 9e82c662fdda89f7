import type * as z from 'zod';
import type { Backend } from '../backend/types.ts';
import { invalidArgument, quote } from '../errors.ts';
import { partKinds } from '../model/event.ts';
import { checkIncoming } from '../model/incoming.ts';
import type { JsonObject } from '../model/json.ts';
import type { Principal } from '../model/principal.ts';
import { withDeadline } from '../net/deadline.ts';
import type { RunManager } from '../run/manager.ts';
import type { ListedTool } from './index.ts';
import { type AppStateWriters, checkAppState } from './support/app-state.ts';
import type { ResourceLink, Tool, ToolContext } from './support/define.ts';
import { checkNeeds, chooseBackend } from './support/routing.ts';
import { checkSpeaker } from './support/speaker.ts';
import { withWhereabouts } from './support/whereabouts.ts';

/** What all calls of a server share. */
export interface CallEnvironment {
  version: string;
  /** The default first. */
  backends: readonly Backend[];
  runs: RunManager;
  /** The app of calls that name none, where the backend has no default of its own. */
  defaultApp: string;
  /** Signs page tokens and open questions; the same in every process over one store. */
  secret: Buffer;
  /** Default: admins. */
  appStateWriters?: AppStateWriters | undefined;
  /** Milliseconds for one call, shared by all its requests to services. Default 45,000. */
  callMs?: number | undefined;
}

/** Milliseconds for one call. Clients give up after 60 s, and a later answer would be lost. */
export const callMsOf = ({ callMs = 45_000 }: Pick<CallEnvironment, 'callMs'>): number => callMs;

/** The caller of a tool, with the signals and progress messages between caller and call. */
export interface Caller extends Pick<ToolContext, 'signal' | 'cancelled' | 'progress'> {
  principal: Principal;
  /** Names of the tools that this caller has. */
  tools: readonly string[];
}

/** Asks the user a tool's question: undefined when the tool may run, else what to answer instead. */
export type SettleConfirmation<Q> = (
  tool: Tool,
  args: JsonObject,
  context: ToolContext,
) => Promise<Q | undefined>;

export type CallOutcome<Q> = { question: Q } | { result: JsonObject; links: ResourceLink[] };

/**
 * Runs one call of a tool: arguments, backend and needs are checked before anything is asked or done.
 * @throws SessionError INVALID_ARGUMENT, UNIMPLEMENTED, and whatever the tool throws
 */
export async function runCall<Q>(
  environment: CallEnvironment,
  { tool, input }: ListedTool,
  raw: unknown,
  caller: Caller,
  settleConfirmation: SettleConfirmation<Q>,
): Promise<CallOutcome<Q>> {
  const args = parseArgs(input(), raw);
  checkAppState(args, caller.principal, environment.appStateWriters);
  checkSpeaker(tool.speaksAs?.(args), caller.principal);
  const context = contextOf(environment, tool, args, caller);
  const ms = tool.waits === true ? Number.POSITIVE_INFINITY : context.callMs;
  return withDeadline({ ms, signal: caller.signal }, async () => {
    try {
      const question = await settleConfirmation(tool, args, context);
      if (question !== undefined) return { question };
      const result = await tool.run(args, context);
      return { result, links: tool.links?.(result, context) ?? [] };
    } catch (error) {
      throw await withWhereabouts(error, args, context);
    }
  });
}

function parseArgs(input: z.ZodObject, args: unknown): JsonObject {
  checkIncoming(args ?? {});
  const parsed = input.safeParse(args ?? {});
  if (parsed.success) return parsed.data;
  const faults = parsed.error.issues.slice(0, 3).map((issue) => {
    const where = issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys')
      return `${where === '' ? '' : `${quote(where)}: `}unknown argument ${issue.keys.slice(0, 3).map(quote).join(', ')}`;
    return `${quote(where === '' ? 'arguments' : where)}: ${issue.message}`;
  });
  const inPart = parsed.error.issues.some((issue) => issue.path.includes('parts'));
  throw invalidArgument(
    `The arguments are invalid. ${faults.join('; ')}.`,
    `Correct them and call again. This tool takes: ${Object.keys(input.shape).join(', ') || 'no arguments'}.${inPart ? ` A part holds one of ${partKinds.join(', ')}, such as {"text": "Hello"}.` : ''}`,
  );
}

function contextOf(
  environment: CallEnvironment,
  tool: Tool,
  args: JsonObject,
  { principal, tools, signal, cancelled, progress }: Caller,
): ToolContext {
  const { version, backends, runs, defaultApp, secret } = environment;
  const text = (name: string) => (typeof args[name] === 'string' ? args[name] : undefined);
  const backend = chooseBackend(backends, text('backend'));
  checkNeeds(tool, backend, backends);
  const routed = tool.reach === 'user';
  return {
    server: { name: 'agent-sessions-mcp', version },
    backends,
    backend,
    runs,
    principal,
    owner: {
      app: (routed ? text('app') : undefined) ?? backend.defaultApp ?? defaultApp,
      // The schema of a bound principal has no userId, so none can come from its arguments.
      userId: (routed && principal.admin ? text('userId') : undefined) ?? principal.userId,
    },
    tools,
    secret,
    callMs: callMsOf(environment),
    signal,
    cancelled,
    progress,
  };
}
