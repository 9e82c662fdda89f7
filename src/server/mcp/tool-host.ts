import type { Client } from '@modelcontextprotocol/client';
import type { AgentTool, ToolHost, ToolServer } from '../../agent/types.ts';
import type { Log } from '../../log.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { abortable } from '../../net/abortable.ts';
import { version } from '../../version.ts';
import { toolError, toolResult } from './tool-host-result.ts';

interface OpenServer {
  client: Client;
  tools: readonly OwnTool[];
}

/** A tool as its server names it. */
interface OwnTool {
  own: string;
  description: string | undefined;
  parameters: JsonObject | undefined;
}

/** A tool by the name that the model gets. */
interface OfferedTool extends AgentTool {
  server: string;
  own: string;
  client: Client;
}

export interface ToolHostOptions {
  log?: Log | undefined;
  /** Milliseconds that a server has to start and list its tools. */
  connectMs?: number;
  /** Milliseconds for which a server that failed is left out. */
  retryMs?: number;
}

/** Tools that a model is offered. Endpoints take no more than these (platform.openai.com/docs/guides/function-calling). */
const mostTools = 128;
/** Characters of a name that endpoints take. */
const nameLength = 64;

/**
 * Tools of the MCP servers that the operator lists for an agent. A server is started, or connected to, when its tools
 * are first asked for, and again after it failed; one that cannot be reached is left out, and the log says so. Its tools
 * are called NAME_TOOL, so that two servers may have the same.
 */
export function openToolHost(
  servers: Readonly<Record<string, ToolServer>>,
  { log, connectMs = 10_000, retryMs = 30_000 }: ToolHostOptions = {},
): ToolHost & { close(): Promise<void> } {
  const opened = new Map<string, Promise<OpenServer>>();
  const failedAt = new Map<string, number>();

  function open(name: string, server: ToolServer): Promise<OpenServer | undefined> {
    const known = opened.get(name);
    if (known !== undefined) return known.catch(() => undefined);
    const failed = failedAt.get(name);
    if (failed !== undefined && performance.now() - failed < retryMs) return Promise.resolve(undefined);
    const fresh = connect(server, connectMs, () => {
      if (opened.get(name) === fresh) opened.delete(name);
    });
    opened.set(name, fresh);
    return fresh.catch((cause: unknown) => {
      opened.delete(name);
      failedAt.set(name, performance.now());
      log?.warn('An MCP server of an agent cannot be used; its tools are left out.', { server: name, cause });
      return undefined;
    });
  }

  async function offered(): Promise<OfferedTool[]> {
    const names = new Set<string>();
    const found = await Promise.all(
      Object.entries(servers).map(async ([server, settings]) => {
        const { client, tools = [] } = (await open(server, settings)) ?? {};
        return client === undefined ? [] : tools.map((tool) => ({ ...tool, server, client }));
      }),
    );
    return found
      .flat()
      .slice(0, mostTools)
      .map((tool) => ({ ...tool, name: freeName(names, tool) }));
  }

  /** Its connection may be broken without a word, as when a server of HTTP has forgotten its session. */
  async function reconnectLater({ server, client }: OfferedTool): Promise<void> {
    const known = await opened.get(server)?.catch(() => undefined);
    if (known?.client !== client) return;
    opened.delete(server);
    await client.close();
  }

  return {
    list: offered,
    async call(name, args, signal) {
      const tool = (await offered()).find((one) => one.name === name);
      if (tool === undefined) return { error: 'The server of this tool cannot be reached.' };
      try {
        return toolResult(await tool.client.callTool({ name: tool.own, arguments: args }, { signal }));
      } catch (error) {
        const told = await toolError(error, signal);
        if (!told.isFromServer && !signal.aborted) await reconnectLater(tool).catch(() => {});
        log?.warn('A tool of an agent could not be called.', { tool: name, cause: error });
        return { error: told.words };
      }
    },
    async close() {
      const all = await Promise.allSettled(opened.values());
      await Promise.all(
        all.map((one) => (one.status === 'fulfilled' ? one.value.client.close().catch(() => {}) : undefined)),
      );
    },
  };
}

/** The name of a tool for the model, which no other has. Two may differ only in what endpoints do not take in names. */
function freeName(taken: Set<string>, { server, own }: { server: string; own: string }): string {
  const wanted = `${server}_${own}`.replace(/[^\w-]/g, '_');
  let name = wanted.slice(0, nameLength);
  for (let count = 2; taken.has(name); count += 1) {
    const end = `_${count}`;
    name = wanted.slice(0, nameLength - end.length) + end;
  }
  taken.add(name);
  return name;
}

async function connect(server: ToolServer, ms: number, onGone: () => void): Promise<OpenServer> {
  const { Client } = await import('@modelcontextprotocol/client');
  const client = new Client({ name: 'agent-sessions-mcp', version });
  const late = AbortSignal.timeout(ms);
  const listed = async (): Promise<OwnTool[]> => {
    const { tools } = await client.listTools();
    return tools
      .filter((tool) => server.tools === undefined || server.tools.includes(tool.name))
      .map(({ name, description, inputSchema }) => ({
        own: name,
        description,
        parameters: isObject(inputSchema) ? inputSchema : undefined,
      }));
  };
  try {
    await abortable(client.connect(await transportOf(server)), late);
    const open: OpenServer = { client, tools: await abortable(listed(), late) };
    client.onclose = onGone;
    client.setNotificationHandler('notifications/tools/list_changed', async () => {
      open.tools = await listed().catch(() => open.tools);
    });
    return open;
  } catch (error) {
    // It may be a program that was started and says nothing.
    client.close().catch(() => {});
    throw error;
  }
}

async function transportOf({ command, args = [], env = {}, url, token }: ToolServer) {
  if (command !== undefined) {
    const { StdioClientTransport, getDefaultEnvironment } = await import(
      '@modelcontextprotocol/client/stdio'
    );
    return new StdioClientTransport({
      command,
      args: [...args],
      env: { ...getDefaultEnvironment(), ...env },
      // Its log stays apart from ours, and stdout is the protocol's.
      stderr: 'ignore',
    });
  }
  const { StreamableHTTPClientTransport } = await import('@modelcontextprotocol/client');
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  return new StreamableHTTPClientTransport(new URL(url ?? ''), { requestInit: { headers } });
}
