import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { published } from '../../src/server/mcp/schema.ts';
import { catalogue } from '../../src/tools/index.ts';
import { scratch } from '../scratch.ts';
import { memoryBackend } from '../tools/harness.ts';
import { bundle } from './bundle.ts';
import { run } from './run.ts';

const meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientInfo': { name: 'raw', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};
const listTools = `${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: { _meta: meta } })}\n`;

it('loads few files, and of Node.js only what it needs, before its first answer', async () => {
  const folder = scratch();
  const seen = path.join(folder, 'seen.json');
  const store = ['--store', `sqlite:${folder}/s.db`];
  // The first start makes the store’s secret.
  await run(store);
  // Runs in the server: notes what has been loaded when the first answer goes out.
  const watch = `
    import { writeFileSync } from 'node:fs';
    import { registerHooks } from 'node:module';
    const files = [];
    registerHooks({ load: (url, context, next) => { files.push(url); return next(url, context); } });
    const write = process.stdout.write.bind(process.stdout);
    process.stdout.write = (...args) => {
      writeFileSync(${JSON.stringify(seen)}, JSON.stringify({ files, builtins: process.moduleLoadList }));
      return write(...args);
    };`;
  const env = { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(watch)}` };
  const { stdout } = await run(store, { stdin: listTools, env, hold: 500 });
  expect(stdout).toContain('append_event');
  const { files, builtins } = JSON.parse(readFileSync(seen, 'utf8')) as Record<string, string[]>;
  const ours = files?.filter((url) => url.includes(path.basename(path.dirname(bundle)))) ?? [];
  expect(ours.length).toBeGreaterThan(1);
  expect(ours.length).toBeLessThan(10);
  // Schemas that the SDK has for its users.
  const texts = ours.map((url) => readFileSync(new URL(url), 'utf8')).join('\n');
  expect(texts).toContain('notifications/resources/updated');
  expect(texts).not.toContain('token_endpoint_auth_methods_supported');
  expect(builtins).toContain('NativeModule sqlite');
  for (const late of ['crypto', 'fs/promises', 'timers/promises', 'worker_threads', 'zlib'])
    expect(builtins).not.toContain(`NativeModule ${late}`);
});

it('publishes the schemas that its sources make', async () => {
  const { stdout } = await run(['--store', 'memory:'], { stdin: listTools, hold: 500 });
  const { result } = JSON.parse(stdout) as {
    result: { tools: { name: string; inputSchema: unknown; outputSchema: unknown }[] };
  };
  const backend = await memoryBackend();
  const listed = catalogue({ backends: [backend], toolsets: undefined, readOnly: false, admin: true });
  expect(
    result.tools.map(({ name, inputSchema, outputSchema }) => [name, inputSchema, outputSchema]),
  ).toEqual(
    listed.map(({ tool, input }) => [
      tool.name,
      published(input().shape, 'input'),
      published(tool.output().shape, 'output'),
    ]),
  );
  await backend.close();
});
