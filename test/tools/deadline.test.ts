import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import { openAdk } from '../../src/backend/adk/index.ts';
import type { Backend } from '../../src/backend/types.ts';
import type { JsonObject } from '../../src/model/json.ts';
import { runCall } from '../../src/tools/call.ts';
import { catalogue } from '../../src/tools/index.ts';
import { runManager, user } from './harness.ts';

const servers: ReturnType<typeof createServer>[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** An ADK server that takes `answerMs` for everything. */
async function slowAdk(answerMs: number): Promise<Backend> {
  const server = createServer((request, response) => {
    setTimeout(() => {
      if (request.url?.startsWith('/run_sse')) {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        response.end('data: {"id":"e1","author":"a","content":{"parts":[{"text":"Done."}]}}\n\n');
      } else response.end('{"id":"s","userId":"ada","events":[]}');
    }, answerMs);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return openAdk({ baseUrl: `http://127.0.0.1:${port}`, dialect: 'typescript' });
}

async function call(backend: Backend, name: string, args: JsonObject, signal = new AbortController().signal) {
  const listed = catalogue({ backends: [backend], toolsets: undefined, readOnly: false, admin: false });
  const found = listed.find(({ tool }) => tool.name === name);
  if (found === undefined) throw new Error(`There is no tool ${name}.`);
  const environment = {
    version: '0',
    backends: [backend],
    runs: runManager(),
    defaultApp: 'a',
    secret: Buffer.alloc(32, 7),
    callMs: 150,
  };
  const from = { principal: user('ada'), tools: [], signal, cancelled: () => true, progress: () => {} };
  return runCall(environment, found, args, from, async () => undefined);
}

it('a call on a service that hangs ends when its time is up', async () => {
  const started = performance.now();
  await expect(call(await slowAdk(5000), 'get_session', { sessionId: 's' })).rejects.toMatchObject({
    code: 'DEADLINE_EXCEEDED',
  });
  expect(performance.now() - started).toBeLessThan(2000);
});

it('a wait on a service that hangs ends soon after its own time', async () => {
  const waiting = call(await slowAdk(5000), 'wait_for_events', { sessionId: 's', timeoutSeconds: 0 });
  await expect(waiting).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' });
});

it('a call on a service that hangs ends with its caller', async () => {
  const caller = new AbortController();
  setTimeout(() => caller.abort(), 30);
  const listing = call(await slowAdk(5000), 'list_sessions', {}, caller.signal);
  await expect(listing).rejects.toMatchObject({ code: 'CANCELLED' });
});

it('a run has limits of its own', async () => {
  const outcome = await call(await slowAdk(300), 'query', { sessionId: 's', message: 'Hi' });
  expect(outcome).toMatchObject({ result: { status: 'completed', text: 'Done.' } });
});
