import {
  type CallToolResult,
  type InputRequiredResult,
  type ListToolsResult,
  McpServer,
  requireScopes,
  type ScopeChallengeHandler,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { logWith } from '../../log.ts';
import { once } from '../../model/once.ts';
import type { Principal } from '../../model/principal.ts';
import { type Caller, runCall } from '../../tools/call.ts';
import { catalogue, type ListedTool } from '../../tools/index.ts';
import type { Tool } from '../../tools/support/define.ts';
import { listedSchemas } from './built-schemas.ts';
import { wasCancelled } from './cancelled.ts';
import { confirmationCodec, settleConfirmation } from './confirm.ts';
import type { Around, ServerDeps, ToolCall } from './deps.ts';
import { openGrowingServers } from './growing-servers.ts';
import { instructionsFor } from './instructions.ts';
import { pageExtension, pageMark, registerPage } from './page.ts';
import { registerPrompts } from './prompts.ts';
import { registerResources } from './resources.ts';
import { toErrorResult, toResult } from './results.ts';
import { anyArguments } from './schema.ts';
import { skillsExtension } from './skills.ts';

/** `only`: registers only this tool, for a single request that calls it. */
export type BuildServer = (principal: Principal, only?: string) => McpServer;

/** The tools of admins or of other callers, prepared once. */
interface Surface {
  tools: readonly PreparedTool[];
  names: readonly string[];
  /** The answer to tools/list, made for the first. */
  listed(): ListToolsResult['tools'];
  instructions: string;
}

interface PreparedTool {
  listed: ListedTool;
  tool: Tool;
  scopeChallenge: ScopeChallengeHandler;
}

type Codec = ReturnType<typeof confirmationCodec>;

const hour = 3_600_000;

/**
 * Returns a function that makes the server of a connection or of a request. It is cheap and has no side effects: all
 * that servers can share is made once.
 */
export function serverBuilder(deps: ServerDeps): BuildServer {
  const surfaces = new Map<boolean, Surface>();
  const growing = openGrowingServers(deps.backends, () => surfaces.clear());
  const surfaceFor = (admin: boolean): Surface => {
    const known = surfaces.get(admin);
    if (known !== undefined) return known;
    const tools = catalogue({ ...deps, admin }).map((listed) => ({
      listed,
      tool: listed.tool,
      scopeChallenge: requireScopes(
        listed.tool.annotations.readOnlyHint ? 'sessions:read' : 'sessions:write',
      ),
    }));
    const names = tools.map(({ tool }) => tool.name);
    const listed = once(() => tools.map((prepared) => listingOf(prepared.listed, deps.page !== undefined)));
    const surface = { tools, names, listed, instructions: instructionsFor(names) };
    surfaces.set(admin, surface);
    return surface;
  };
  const around: Around = deps.around ?? ((_call, run) => run());
  const identity = { name: 'agent-sessions-mcp', title: 'Agent sessions', version: deps.version };

  /** Registers tools of the surface on a server of the principal. */
  function registrar(server: McpServer, principal: Principal, codec: Codec, { names }: Surface) {
    return ({ listed, tool, scopeChallenge }: PreparedTool) =>
      server.registerTool(
        tool.name,
        { inputSchema: anyArguments, scopeChallenge },
        async (raw, ctx): Promise<CallToolResult | InputRequiredResult> => {
          try {
            const call: ToolCall = { tool: tool.name, principal, meta: ctx.mcpReq._meta };
            return await around(call, async () => {
              const outcome = await runCall(
                deps,
                listed,
                raw,
                callerOf(principal, names, ctx),
                (_tool, args, context) => settleConfirmation(tool, args, context, { server, ctx, codec }),
              );
              return 'question' in outcome ? outcome.question : toResult(outcome.result, outcome.links);
            });
          } catch (error) {
            const requestId = ctx.http?.req?.headers.get('x-request-id');
            const log = requestId ? logWith(deps.log, { requestId }) : deps.log;
            return toErrorResult(error, log, tool.name);
          }
        },
      );
  }

  /** A server for one request that calls this tool. It has nothing to say of itself, since nobody asks it. */
  function buildCalled(principal: Principal, surface: Surface, called: PreparedTool): McpServer {
    const codec = confirmationCodec(deps.secret, () => principal.userId);
    const server = new McpServer(identity, {
      capabilities: { tools: { listChanged: false } },
      requestState: { verify: codec.verify },
    });
    registrar(server, principal, codec, surface)(called);
    return server;
  }

  return (principal, only) => {
    const surface = surfaceFor(principal.admin);
    const called = only === undefined ? undefined : surface.tools.find(({ tool }) => tool.name === only);
    // For an unknown tool all tools are registered, so that the SDK answers as for any unknown tool.
    if (called !== undefined) return buildCalled(principal, surface, called);
    const { tools, names, instructions } = surface;
    const codec = confirmationCodec(deps.secret, () => principal.userId);
    const grows = growing.possible();
    const server = new McpServer(identity, {
      capabilities: {
        tools: { listChanged: grows },
        prompts: { listChanged: false },
        resources: { subscribe: true, listChanged: false },
        extensions: {
          ...(deps.page === undefined ? {} : pageExtension),
          ...(deps.skills === undefined ? {} : skillsExtension),
        },
      },
      instructions,
      cacheHints: {
        'server/discover': { ttlMs: hour, cacheScope: 'public' },
        'tools/list': { ttlMs: grows ? 0 : hour, cacheScope: 'private' },
        'prompts/list': { ttlMs: hour, cacheScope: 'public' },
        'resources/templates/list': { ttlMs: hour, cacheScope: 'public' },
        'resources/list': { ttlMs: 5000, cacheScope: 'private' },
        'resources/read': { ttlMs: 0, cacheScope: 'private' },
      },
      requestState: { verify: codec.verify },
    });
    const register = registrar(server, principal, codec, surface);
    for (const tool of tools) register(tool);
    server.server.setRequestHandler('tools/list', () => ({ tools: surfaceFor(principal.admin).listed() }));
    registerResources(server, deps, principal);
    registerPrompts(server, deps, principal, names);
    if (deps.page !== undefined) registerPage(server, deps.page);
    deps.skills?.attach(server);
    if (grows)
      growing.add(server, () => {
        // The SDK notifies the client of each tool that is registered after the connection.
        for (const added of surfaceFor(principal.admin).tools)
          if (!tools.some(({ tool }) => tool.name === added.tool.name)) register(added);
      });
    return server;
  };
}

/** A tool as clients see it. */
function listingOf(listed: ListedTool, hasPage: boolean): ListToolsResult['tools'][number] {
  const { name, title, description, annotations } = listed.tool;
  const { input, output } = listedSchemas(listed);
  return {
    ...{ name, title, description },
    inputSchema: input,
    annotations,
    ...(hasPage ? pageMark(name) : {}),
    outputSchema: output,
  };
}

function callerOf(principal: Principal, tools: readonly string[], ctx: ServerContext): Caller {
  return {
    principal,
    tools,
    signal: ctx.mcpReq.signal,
    cancelled: () => wasCancelled(ctx),
    progress: progressOf(ctx),
  };
}

/** Sends progress to a caller that asked for it, and drops it without an error once the caller has left. */
function progressOf(ctx: ServerContext): (message: string) => void {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  let progress = 0;
  return (message) => {
    if (progressToken === undefined || ctx.mcpReq.signal.aborted) return;
    progress += 1;
    ctx.mcpReq
      .notify({ method: 'notifications/progress', params: { progressToken, progress, message } })
      .catch(() => {});
  };
}
