import { describe, expect, it } from 'vitest';
import { eventually, gauge, startProduct } from './harness.ts';
import {
  type Answer,
  legacyRequest,
  modernRequest,
  openSession,
  resultOf,
  send,
  toolCall,
} from './requests.ts';

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
    const began = performance.now();
    const ended = product.close(5000);
    const late = await send(port, toolCall('list_sessions'));
    expect([late.status, late.headers['retry-after'], late.headers.connection]).toEqual([503, '1', 'close']);
    expect((await send(port, { method: 'GET', path: '/readyz' })).status).toBe(503);
    expect((await send(port, { method: 'GET', path: '/healthz' })).status).toBe(200);
    for (const answer of await Promise.all(waits))
      expect(JSON.stringify(resultOf(answer))).toContain('"timedOut":true');
    expect((await listen).body).toMatch(/"resultType":"complete"/);
    expect((await stream).status).toBe(200);
    await ended;
    expect(performance.now() - began).toBeLessThan(4900);
    await expect(send(port, toolCall('list_sessions'))).rejects.toThrow();
    await product.backend.close();
  });

  it('answers the calls that take longer, in either era, and those that stream', async () => {
    const product = await startProduct({ settings });
    const { port } = product;
    await send(port, toolCall('create_session', { sessionId: 's' }));
    const id = await openSession(port);
    const args = { sessionId: 's', timeoutSeconds: 60 };
    const long = [
      send(port, toolCall('wait_for_events', args)),
      send(port, legacyRequest(id, 'tools/call', { name: 'wait_for_events', arguments: args }, 7)),
    ];
    await eventually(async () => (await gauge(product, 'tool_calls_under_way')) === 2);
    const began = performance.now();
    await product.close(200);
    expect(performance.now() - began).toBeLessThan(2000);
    const [modern, legacy] = (await Promise.all(long)) as [Answer, Answer];
    expect([modern.status, modern.headers['retry-after']]).toEqual([503, '1']);
    const error = { code: -32000, data: { retryAfterSeconds: 1 } };
    expect(resultOf(modern)).toMatchObject({ id: 1, error });
    expect(resultOf(legacy)).toMatchObject({ id: 7, error });
    await product.backend.close();
  });
});
