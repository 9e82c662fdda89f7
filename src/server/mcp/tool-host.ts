import type { Client } from '@modelcontextprotocol/client';
import type { AgentTool, ToolHost, ToolServer } from '../../agent/types.ts';
import { cutText } from '../../model/budget.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import { version } from '../../version.ts';

/** Characters of a result that a model gets. */
const resultLength = 16_000;

interface OpenServer {
  client: Client;
  tools: readonly (AgentTool & { own: string })[];
}

/**
 * Tools of the MCP servers that the operator lists for an agent. A server is started, or connected to, when its tools
 * are first asked for, and again after it failed. Its tools are called NAME_TOOL, so that two servers may have the same.
 */
export function openToolHost(servers: Readonly<Record<string, ToolServer>>): ToolHost & {
  close(): Promise<void>;
} {
  const opened = new Map<string, Promise<OpenServer>>();

  function open(name: string, server: ToolServer): Promise<OpenServer> {
    const known = opened.get(name);
    if (known !== undefined) return known;
    const fresh = connect(name, server, () => opened.delete(name));
    opened.set(name, fresh);
    fresh.catch(() => opened.delete(name));
    return fresh;
  }

  const openAll = () =>
    Promise.all(Object.entries(servers).map(([name, server]) => open(name, server).catch(() => undefined)));

  return {
    async list() {
      return (await openAll()).flatMap((server) => server?.tools ?? []);
    },
    async call(name, args, signal) {
      for (const server of await openAll()) {
        const tool = server?.tools.find((one) => one.name === name);
        if (server === undefined || tool === undefined) continue;
        try {
          return resultOf(await server.client.callTool({ name: tool.own, arguments: args }, { signal }));
        } catch {
          return {
            error: signal.aborted ? 'The tool did not answer in time.' : 'The tool could not be called.',
          };
        }
      }
      return { error: 'The server of this tool cannot be reached.' };
    },
    async close() {
      const all = await Promise.allSettled(opened.values());
      await Promise.all(
        all.map((one) => (one.status === 'fulfilled' ? one.value.client.close().catch(() => {}) : undefined)),
      );
    },
  };
}

async function connect(name: string, server: ToolServer, onGone: () => void): Promise<OpenServer> {
  const { Client } = await import('@modelcontextprotocol/client');
  const client = new Client({ name: 'agent-sessions-mcp', version });
  client.onclose = onGone;
  await client.connect(await transportOf(server));
  const { tools } = await client.listTools();
  const wanted = tools.filter((tool) => server.tools === undefined || server.tools.includes(tool.name));
  return {
    client,
    tools: wanted.map((tool) => ({
      own: tool.name,
      name: `${name}_${tool.name}`.replace(/[^\w-]/g, '_').slice(0, 64),
      description: tool.description,
      parameters: isObject(tool.inputSchema) ? tool.inputSchema : undefined,
    })),
  };
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

function resultOf(result: {
  isError?: boolean | undefined;
  structuredContent?: unknown;
  content?: unknown;
}): JsonObject {
  const texts = (Array.isArray(result.content) ? result.content : []).flatMap((part: unknown) =>
    isObject(part) && typeof part.text === 'string' ? [part.text] : [],
  );
  const text = cutText(texts.join('\n'), resultLength, 'left out');
  if (result.isError === true) return { error: text };
  const structured = result.structuredContent;
  const fits = isObject(structured) && JSON.stringify(structured).length <= resultLength;
  return fits ? structured : { result: text };
}
