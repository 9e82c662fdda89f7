import { setTimeout as sleep } from 'node:timers/promises';
import { McpServer } from '@modelcontextprotocol/server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import type { HttpServer } from '../../../src/server/http/listener.ts';
import { startTransportOf } from './harness.ts';
import {
  type Answer,
  legacyRequest,
  modernRequest,
  officialClient,
  openSession,
  resultOf,
  type Sent,
  send,
  toolCall,
} from './requests.ts';

/** A server with a slow tool, which may report progress late. */
function build(): McpServer {
  const server = new McpServer({ name: 'slow', version: '1' });
  const inputSchema = z.object({ ms: z.number(), progressAt: z.number().optional() });
  server.registerTool('slow', { inputSchema }, async ({ ms, progressAt = ms }, ctx) => {
    await sleep(progressAt);
    const { progressToken } = ctx.mcpReq._meta ?? {};
    if (progressToken !== undefined)
      await ctx.mcpReq.notify({
        method: 'notifications/progress',
        params: { progressToken, progress: 1, message: 'so far' },
      });
    await sleep(ms - progressAt);
    return { content: [{ type: 'text', text: 'done' }] };
  });
  return server;
}

const comments = ({ body }: Answer): number => body.match(/^: /gm)?.length ?? 0;

describe('a call that takes long', () => {
  let server: HttpServer;
  let port: number;
  beforeAll(async () => {
    server = await startTransportOf({ build, listen: () => () => {} }, { keepAliveMs: 50 });
    port = Number(new URL(server.url).port);
  });
  afterAll(() => server.close(0));
  const ask = (sent: Sent) => send(port, sent);

  it('is kept alive without a progress token, and answered whole', async () => {
    const answer = await ask(toolCall('slow', { ms: 400 }));
    expect([answer.status, answer.headers['content-type']]).toEqual([200, 'text/event-stream']);
    expect(comments(answer)).toBeGreaterThan(1);
    expect(resultOf(answer)).toMatchObject({ id: 1, result: { content: [{ text: 'done' }] } });
  });

  it('is kept alive in a session of 2025', async () => {
    const id = await openSession(port);
    const answer = await ask(legacyRequest(id, 'tools/call', { name: 'slow', arguments: { ms: 400 } }));
    expect(comments(answer)).toBeGreaterThan(1);
    expect(resultOf(answer)).toMatchObject({ result: { content: [{ text: 'done' }] } });
  });

  it('may report progress after it has been kept alive', async () => {
    const args = { name: 'slow', arguments: { ms: 300, progressAt: 200 }, _meta: { progressToken: 'p' } };
    const answer = await ask(modernRequest('tools/call', args));
    expect(comments(answer)).toBeGreaterThan(1);
    const events = answer.body.match(/^data: .*$/gm) ?? [];
    expect(events.map((event) => /so far|done/.exec(event)?.[0])).toEqual(['so far', 'done']);
  });

  it('is one JSON body for a client that takes no stream, and when it is quick', async () => {
    const slow = toolCall('slow', { ms: 200 });
    const plain = await ask({ ...slow, headers: { ...slow.headers, accept: 'application/json' } });
    // On a server that is so patient that no machine is too slow for it.
    const patient = await startTransportOf({ build, listen: () => () => {} }, { keepAliveMs: 20_000 });
    const quick = await send(Number(new URL(patient.url).port), toolCall('slow', { ms: 1 }));
    await patient.close(0);
    for (const answer of [plain, quick]) {
      expect(answer.headers['content-type']).toBe('application/json');
      expect(resultOf(answer)).toMatchObject({ result: { content: [{ text: 'done' }] } });
    }
  });

  it.each(['modern', 'legacy'] as const)('reaches the official client, %s', async (era) => {
    const client = await officialClient(server.url, era);
    const answer = await client.callTool({ name: 'slow', arguments: { ms: 300 } });
    expect(answer.content).toEqual([{ type: 'text', text: 'done' }]);
    await client.close();
  });
});
