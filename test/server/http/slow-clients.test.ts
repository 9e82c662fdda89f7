import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { send as sendResponse } from '../../../src/server/http/io.ts';
import { eventually, gauge, pause, startProduct } from './harness.ts';
import { send, toolCall } from './requests.ts';

const settings = { metrics: true };

describe('clients that are slow or gone', () => {
  /** A server that answers with `bytes` bytes, and disconnects a client that reads nothing for a second. */
  async function startSender(kind: 'stream' | 'whole', bytes: number, atOnce: number) {
    const chunk = new Uint8Array(atOnce).fill(120);
    const state = { cancelled: false };
    const server = http.createServer((_req, res) => {
      let left = bytes;
      const body = new ReadableStream({
        pull(controller) {
          controller.enqueue(chunk);
          left -= chunk.length;
          if (left <= 0) controller.close();
        },
        cancel() {
          state.cancelled = true;
        },
      });
      const type = kind === 'stream' ? 'text/event-stream' : 'application/json';
      void sendResponse(res, new Response(body, { headers: { 'content-type': type } }), {}, 1000);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    const connections = () => new Promise<number>((r) => server.getConnections((_e, n) => r(n)));
    return { server, socket, state, connections };
  }

  it.each(['stream', 'whole'] as const)('that take nothing of a %s answer are cut off', async (kind) => {
    const { server, socket, state, connections } = await startSender(kind, 50_000_000, 65_536);
    socket.pause();
    await eventually(async () => (await connections()) === 1);
    await eventually(async () => (await connections()) === 0);
    if (kind === 'stream') await eventually(() => state.cancelled);
    socket.destroy();
    server.close();
  });

  it.each(['stream', 'whole'] as const)(
    'that take a %s answer slowly, but steadily, get all of it',
    async (kind) => {
      const bytes = 20_000_000;
      const { server, socket } = await startSender(kind, bytes, bytes + 1);
      let received = 0;
      socket.on('data', (chunk: Buffer) => {
        received += chunk.length;
        socket.pause();
        setTimeout(() => socket.resume(), chunk.length / 8192);
      });
      const began = performance.now();
      await new Promise((resolve) => socket.on('close', resolve));
      expect(received).toBeGreaterThan(bytes);
      // Longer than the time for which a client may read nothing.
      expect(performance.now() - began).toBeGreaterThan(1500);
      server.close();
    },
  );

  it('that leave while they are asked for who they are leave nothing behind', async () => {
    const product = await startProduct({ settings });
    await send(product.port, toolCall('create_session', { sessionId: 's' }));
    for (let i = 0; i < 50; i += 1) {
      const { headers, body } = toolCall('wait_for_events', { sessionId: 's', timeoutSeconds: 60 });
      const req = http.request({
        port: product.port,
        host: '127.0.0.1',
        path: '/mcp',
        method: 'POST',
        headers,
      });
      req.on('error', () => {});
      req.end(JSON.stringify(body));
      setTimeout(() => req.destroy(), i % 7);
    }
    await pause(100);
    await eventually(async () => (await gauge(product, 'tool_calls_under_way')) === 0);
    await eventually(async () => (await gauge(product, 'requests_under_way')) === 0);
    await product.end();
  });
});
