import http from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { describe, it } from 'vitest';
import { send as sendResponse } from '../../../src/server/http/io.ts';
import { eventually, gauge, pause, startProduct } from './harness.ts';
import { send, toolCall } from './requests.ts';

const settings = { metrics: true };

describe('clients that are slow or gone', () => {
  it('that take nothing of a stream are cut off', async () => {
    let cancelled = false;
    const server = http.createServer((_req, res) => {
      const body = new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel() {
          cancelled = true;
        },
      });
      void sendResponse(
        res,
        new Response(body, { headers: { 'content-type': 'text/event-stream' } }),
        {},
        100,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    socket.pause();
    socket.on('error', () => {});
    socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n');
    await eventually(() => cancelled);
    await eventually(
      async () => (await new Promise<number>((r) => server.getConnections((_e, n) => r(n)))) === 0,
    );
    socket.destroy();
    server.close();
  });

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
