/**
 * The MCP clients of agent frameworks on the built server, over stdio and over HTTP with a token. Each lists the
 * tools and calls five of them; Google's ADK also makes 200 calls in a row.
 */
import path from 'node:path';
import { createMCPClient } from '@ai-sdk/mcp';
import { Experimental_StdioMCPTransport as StdioMCPTransport } from '@ai-sdk/mcp/mcp-stdio';
import { MCPToolset, setLogger } from '@google/adk';
import { MultiServerMCPClient } from '@langchain/mcp-adapters';
import { MCPServerStdio, MCPServerStreamableHttp } from '@openai/agents';
import { answerOf, emptyHome, expect, judge, openStand, root, visit } from '../stand.mjs';

const ours = (name) => import(path.join(root, 'node_modules/@modelcontextprotocol', name));
const v1 = {
  ...(await ours('sdk/dist/esm/client/index.js')),
  ...(await ours('sdk/dist/esm/client/stdio.js')),
  ...(await ours('sdk/dist/esm/client/streamableHttp.js')),
};
const v2 = { ...(await ours('client/dist/index.mjs')), ...(await ours('client/dist/stdio.mjs')) };

const stand = await openStand();
const { stdio, http } = stand;
const headers = { Authorization: `Bearer ${http.token}` };
let homes = 0;
/** How a client starts a server of its own. */
const started = () => {
  homes += 1;
  return { command: stdio.command, args: stdio.args, env: emptyHome(stand.scratch, `home-${homes}`).env };
};

/** Visits over both transports with a client that `open` connects. */
async function both(what, open) {
  for (const transport of ['stdio', 'http'])
    await judge(`${what} over ${transport}`, async () => {
      const { names, call, close } = await open(transport);
      try {
        await visit(names, call);
      } finally {
        await close();
      }
    });
}

const info = { name: 'judge', version: '1' };
const sdk = (client) => ({
  names: async () => (await client.listTools()).tools.map(({ name }) => name),
  call: async (name, args) => answerOf(await client.callTool({ name, arguments: args })),
  close: () => client.close(),
});

await both('MCP SDK v1', async (transport) => {
  const client = new v1.Client(info);
  await client.connect(
    transport === 'stdio'
      ? new v1.StdioClientTransport({ ...started(), stderr: 'ignore' })
      : new v1.StreamableHTTPClientTransport(new URL(http.url), { requestInit: { headers } }),
  );
  return sdk(client);
});

for (const mode of [{ pin: '2026-07-28' }, 'legacy', 'auto'])
  await both(`MCP SDK v2, ${typeof mode === 'string' ? mode : mode.pin}`, async (transport) => {
    const client = new v2.Client(info, { versionNegotiation: { mode } });
    await client.connect(
      transport === 'stdio'
        ? new v2.StdioClientTransport({ ...started(), stderr: 'ignore' })
        : new v2.StreamableHTTPClientTransport(new URL(http.url), { requestInit: { headers } }),
    );
    return sdk(client);
  });

await both('AI SDK', async (transport) => {
  const client = await createMCPClient({
    transport:
      transport === 'stdio'
        ? new StdioMCPTransport({ ...started(), stderr: 'ignore' })
        : { type: 'http', url: http.url, headers },
  });
  const tools = await client.tools();
  return {
    names: async () => Object.keys(tools),
    call: async (name, args) => answerOf(await tools[name].execute(args, { toolCallId: '1', messages: [] })),
    close: () => client.close(),
  };
});

await both('LangChain’s adapters', async (transport) => {
  const client = new MultiServerMCPClient({
    mcpServers: {
      sessions:
        transport === 'stdio'
          ? { transport: 'stdio', ...started(), stderr: 'ignore' }
          : { transport: 'http', url: http.url, headers },
    },
  });
  const tools = await client.getTools();
  return {
    names: async () => tools.map(({ name }) => name),
    call: async (name, args) => answerOf(await tools.find((tool) => tool.name === name).invoke(args)),
    close: () => client.close(),
  };
});

await both('OpenAI Agents', async (transport) => {
  const server =
    transport === 'stdio'
      ? new MCPServerStdio({ name: 'sessions', ...started() })
      : new MCPServerStreamableHttp({ name: 'sessions', url: http.url, requestInit: { headers } });
  await server.connect();
  return {
    names: async () => (await server.listTools()).map(({ name }) => name),
    call: async (name, args) => answerOf(await server.callTool(name, args)),
    close: () => server.close(),
  };
});

// It reports every stream that it closes itself as an error.
setLogger(null);

async function adk(transport) {
  const toolset = new MCPToolset(
    transport === 'stdio'
      ? { type: 'StdioConnectionParams', serverParams: { ...started(), stderr: 'ignore' } }
      : {
          type: 'StreamableHTTPConnectionParams',
          url: http.url,
          transportOptions: { requestInit: { headers } },
        },
  );
  const tools = await toolset.getTools();
  return {
    names: async () => tools.map(({ name }) => name),
    call: async (name, args) =>
      answerOf(await tools.find((tool) => tool.name === name).runAsync({ args, toolContext: {} })),
    close: () => toolset.close(),
  };
}

await both('Google ADK', adk);
await judge('Google ADK over http, 200 calls in a row', async () => {
  const { call, close } = await adk('http');
  const { session } = await call('create_session', {});
  for (let i = 0; i < 200; i += 1)
    await call('append_event', { sessionId: session.id, author: 'user', text: `message ${i}` });
  const { session: whole } = await call('get_session', { sessionId: session.id });
  expect(whole.eventCount === 200, `200 events: ${whole.eventCount}`);
  await close();
});

await stand.close();
// Some clients leave a timer behind.
process.exit();
