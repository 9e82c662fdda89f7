import http from 'node:http';
import { describe, expect, it } from 'vitest';
import { eventually, gauge, startProduct } from './harness.ts';
import { legacyRequest, modernRequest, openSession, resultOf, send, toolCall } from './requests.ts';

const settings = { metrics: true };

describe('the end of a server', () => {
  it('lets calls finish, ends streams in good order, and takes nothing new', async () => {
    const product = await startProduct({ settings });
    const { port } = product;
    await send(port, toolCall('create_session', { sessionId: 's' }));
    const id = await openSession(port);
    const waits = [
      send(port, toolCall('wait_for_events', { sessionId: 's', timeoutSeconds: 1 })),
      send(
        port,
        legacyRequest(id, 'tools/call', {
          name: 'wait_for_events',
          arguments: { sessionId: 's', timeoutSeconds: 1 },
        }),
      ),
    ];
    const uris = ['session://default/s'];
    const listen = send(
      port,
      modernRequest('subscriptions/listen', { notifications: { resourceSubscriptions: uris } }),
    );
    const stream = send(port, {
      method: 'GET',
      headers: { accept: 'text/event-stream', 'mcp-session-id': id },
    });
    await eventually(async () => (await gauge(product, 'streams_open')) === 2);
    await eventually(async () => (await gauge(product, 'tool_calls_under_way')) === 2);
    const kept = new http.Agent({ keepAlive: true });
    const probe = (path: string) =>
      new Promise<number>((resolve, reject) => {
        http
          .get({ port, host: '127.0.0.1', path, agent: kept }, (res) => {
            res.resume();
            res.on('end', () => resolve(res.statusCode ?? 0));
          })
          .on('error', reject);
      });
    expect(await probe('/readyz')).toBe(200);
    const began = performance.now();
    const ended = product.close(5000);
    await expect(send(port, toolCall('list_sessions', {}))).rejects.toThrow();
    const answers = await Promise.all(waits);
    for (const answer of answers) expect(JSON.stringify(resultOf(answer))).toContain('"timedOut":true');
    expect((await listen).body).toMatch(/"resultType":"complete"/);
    expect((await stream).status).toBe(200);
    await ended;
    expect(performance.now() - began).toBeLessThan(4000);
    kept.destroy();
    await product.backend.close();
  });

  it('waits no longer than it was told', async () => {
    const product = await startProduct({ settings });
    await send(product.port, toolCall('create_session', { sessionId: 's' }));
    const long = send(product.port, toolCall('wait_for_events', { sessionId: 's', timeoutSeconds: 60 })).then(
      () => 'answered',
      () => 'broken off',
    );
    await eventually(async () => (await gauge(product, 'tool_calls_under_way')) === 1);
    const began = performance.now();
    await product.close(200);
    expect(performance.now() - began).toBeLessThan(2000);
    await long;
    await product.backend.close();
  });
});
