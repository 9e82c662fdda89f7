import type * as z from 'zod';
import type { Backend, Capability, Owner, SessionRef } from '../../backend/types.ts';
import type { JsonObject } from '../../model/json.ts';
import type { Principal } from '../../model/principal.ts';
import type { RunManager } from '../../run/manager.ts';

export const toolsets = [
  'sessions',
  'events',
  'tool-calls',
  'artifacts',
  'memory',
  'query',
  'apps',
  'server',
] as const;
export type Toolset = (typeof toolsets)[number];

/** What a tool's run gets besides its arguments. Nothing in it depends on the protocol. */
export interface ToolContext {
  server: { name: string; version: string };
  /** All that are configured, the default first. */
  backends: readonly Backend[];
  /** The one that this call is for. */
  backend: Backend;
  /** The agent runs of this process. */
  runs: RunManager;
  principal: Principal;
  /** Whose data this call is about. */
  owner: Owner;
  /** Names of the tools that this caller has. */
  tools: readonly string[];
  /** Signs page tokens. */
  secret: Buffer;
  /** Milliseconds for all that a call asks of services; for each look of a tool that waits. */
  callMs: number;
  /** Aborted when the caller cancels or goes away. */
  signal: AbortSignal;
  /** Whether the abort of the signal means that the caller cancelled the call, and not only went away. */
  cancelled(): boolean;
  /** Tells the caller how far the call is; dropped when it did not ask to be told. */
  progress(message: string): void;
}

/** All four are given, because clients assume the worst of an absent hint. */
interface Annotations {
  readOnlyHint: boolean;
  destructiveHint: boolean;
  idempotentHint: boolean;
  openWorldHint: boolean;
}

/** A question that the user must answer before the tool runs, and what exactly it was asked about. */
interface Confirmation {
  question: string;
  /** Changes whenever the object does; an answer given to an older version does not count. */
  version: string;
}

export interface ResourceLink {
  uri: string;
  name: string;
  mimeType: string;
}

/**
 * A tool as the server sees it. Arguments are validated against `input` before `run`. Both schemas are made when they are
 * asked for: most tools are listed and never called, and to make all of them would delay each start.
 */
export interface Tool {
  name: string;
  title: string;
  description: string;
  toolset: Toolset;
  /** Capabilities that a backend must have for this tool. The tool is listed when a configured backend has them. */
  needs: readonly Capability[];
  /** A sentence that says what to do on a backend that does not support the tool. */
  instead?: string;
  /** Decides instead of `needs` whether the tool is listed, where one backend can supply what another lacks. */
  offered?: (backends: readonly Backend[]) => boolean;
  /**
   * Which routing arguments the catalogue adds: `user` app and userId; `backend` none; to both the choice of
   * backend where there are several; `server` nothing at all.
   */
  reach: 'user' | 'backend' | 'server';
  /** As whom a call writes or acts: a principal may be bound to certain agents. */
  speaksAs?: (args: JsonObject) => string;
  /** The tool waits as long as its arguments or the work demand: the time limit of a call does not apply. */
  waits?: true;
  /** It quickly makes what later calls may name: those of the same connection wait for it. */
  makes?: true;
  input: () => z.ZodRawShape;
  output: () => z.ZodObject;
  annotations: Annotations;
  confirm?: (args: JsonObject, ctx: ToolContext) => Promise<Confirmation>;
  run(args: JsonObject, ctx: ToolContext): Promise<JsonObject>;
  /** Resources that a result speaks of. */
  links?: (result: JsonObject, ctx: ToolContext) => ResourceLink[];
}

type ArgsOf<I extends z.ZodRawShape> = z.infer<z.ZodObject<I>>;

export interface ToolDefinition<I extends z.ZodRawShape, O extends z.ZodObject>
  extends Omit<Tool, 'input' | 'output' | 'run' | 'confirm' | 'links'> {
  input: () => I;
  output: () => O;
  confirm?: (args: ArgsOf<I>, ctx: ToolContext) => Promise<Confirmation>;
  run(args: ArgsOf<I>, ctx: ToolContext): Promise<z.infer<O>>;
  links?: (result: z.infer<O>, ctx: ToolContext) => ResourceLink[];
}

/** Types a tool's run by its schemas. The server has validated the arguments, which the casts rely on. */
export function defineTool<I extends z.ZodRawShape, O extends z.ZodObject>(
  definition: ToolDefinition<I, O>,
): Tool {
  const { confirm, run, links, ...rest } = definition;
  return {
    ...rest,
    run: (args, ctx) => run(args as ArgsOf<I>, ctx),
    ...(confirm === undefined ? {} : { confirm: (args, ctx) => confirm(args as ArgsOf<I>, ctx) }),
    ...(links === undefined ? {} : { links: (result, ctx) => links(result as z.infer<O>, ctx) }),
  };
}

export const refOf = (ctx: ToolContext, args: { sessionId: string }): SessionRef => ({
  ...ctx.owner,
  sessionId: args.sessionId,
});
