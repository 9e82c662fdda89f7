/** The measure of what the SDK itself costs: a server of one tool that does nothing. */
import { McpServer } from '@modelcontextprotocol/server';
import { serveStdio } from '@modelcontextprotocol/server/stdio';
import * as z from 'zod';

const input = z.object({});

serveStdio(() => {
  const server = new McpServer({ name: 'noop', version: '1' });
  server.registerTool('noop', { description: 'Does nothing.', inputSchema: input }, async () => ({
    content: [{ type: 'text', text: 'ok' }],
  }));
  return server;
});
