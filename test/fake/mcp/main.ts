import { createInterface } from 'node:readline';

/**
 * An MCP server over stdio that misbehaves as its argument says: `silent` answers nothing, `dies` ends with its first
 * call, `odd` has names that endpoints do not take, too many tools, and results that are no text.
 */
const [, , manner] = process.argv;
const say = (message: object) => process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
const tool = (name: string) => ({ name, inputSchema: { type: 'object' } });

const odd = [
  ...['a.b', 'a-b', 'a_b', 'image', 'much', 'refused'].map(tool),
  ...Array.from({ length: 1000 }, (_, i) => tool(`t${i}`)),
];
const results: Record<string, object> = {
  image: { content: [{ type: 'image', data: 'AAAA', mimeType: 'image/png' }] },
  much: { content: [], structuredContent: { rows: Array.from({ length: 50_000 }, (_, row) => ({ row })) } },
};

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line) as {
    id?: number;
    method: string;
    params?: { name?: string };
  };
  if (id === undefined || manner === 'silent') return;
  const name = params?.name ?? '';
  if (method === 'initialize')
    say({
      id,
      result: {
        protocolVersion: '2025-11-25',
        capabilities: { tools: {} },
        serverInfo: { name: 'fake', version: '1' },
      },
    });
  else if (method === 'tools/list') say({ id, result: { tools: manner === 'odd' ? odd : [tool('go')] } });
  else if (method !== 'tools/call') say({ id, error: { code: -32601, message: 'Method not found' } });
  else if (manner === 'dies') process.exit(1);
  else if (name === 'refused') say({ id, error: { code: -32602, message: 'city is missing' } });
  else say({ id, result: results[name] ?? { content: [{ type: 'text', text: `${name} is done` }] } });
});
