/**
 * Servers to compare with, on a free port that they print: `ours`, a tool that does nothing on our transport;
 * `unqueued`, the same without its admission queue; `sdk`, the same on the SDK's own handler for Node; `bare`, node:http that parses JSON and answers it.
 */
import { createServer } from 'node:http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import * as z from 'zod';
import { readHttp } from '../src/config/http.ts';
import { noSources } from '../src/config/setting.ts';
import { createLog } from '../src/log.ts';
import { principalOf } from '../src/server/auth/scopes.ts';
import { createLimits } from '../src/server/http/limits.ts';
import { startTransport } from '../src/server/http/listener.ts';

const input = z.object({});

function build(): McpServer {
  const server = new McpServer({ name: 'noop', version: '1' });
  server.registerTool('noop', { description: 'Does nothing.', inputSchema: input }, async () => ({
    content: [{ type: 'text', text: 'ok' }],
  }));
  return server;
}

async function ours(admissionQueue = true): Promise<string> {
  const settings = {
    ...readHttp({ ...noSources, flags: { 'rate-limit': '0' } }),
    port: 0,
    accessLog: false,
    admissionQueue,
  };
  const server = await startTransport({
    settings,
    served: { build, listen: () => () => {} },
    log: createLog(() => {}),
    limits: createLimits(settings.limits),
    anonymous: principalOf('bench', ['sessions:write']),
    ready: async () => {},
  });
  return server.url;
}

function listening(server: ReturnType<typeof createServer>): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : address}/mcp`);
    });
  });
}

function sdk(): Promise<string> {
  const handler = toNodeHandler(createMcpHandler(build));
  return listening(createServer((req, res) => void handler(req as Parameters<typeof handler>[0], res)));
}

function bare(): Promise<string> {
  return listening(
    createServer((req, res) => {
      const chunks: Buffer[] = [];
      req.on('data', (chunk: Buffer) => chunks.push(chunk));
      req.on('end', () => {
        const { id } = JSON.parse(Buffer.concat(chunks).toString()) as { id: number };
        const result = { content: [{ type: 'text', text: 'ok' }], resultType: 'complete' };
        const body = JSON.stringify({ jsonrpc: '2.0', id, result });
        res.writeHead(200, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
        res.end(body);
      });
    }),
  );
}

const kinds: Record<string, () => Promise<string>> = {
  ours: () => ours(),
  unqueued: () => ours(false),
  sdk,
  bare,
};
const start = kinds[process.argv[2] ?? 'ours'];
if (start === undefined) throw new Error('There is no such server.');
process.stderr.write(`${JSON.stringify({ url: await start() })}\n`);
