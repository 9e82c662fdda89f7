import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { context, propagation, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { afterEach, describe, expect, it } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import { httpClient } from '../../src/net/http.ts';
import { traceHeaders } from '../../src/net/trace.ts';
import { principalOf } from '../../src/server/auth/scopes.ts';
import { createLimits, defaultLimits } from '../../src/server/http/limits.ts';
import { createMetrics } from '../../src/server/http/metrics.ts';
import { openPrometheus } from '../../src/server/http/prometheus.ts';
import { openTelemetry, traceOf } from '../../src/server/mcp/telemetry.ts';
import { startProduct } from './http/harness.ts';
import { modernRequest, send } from './http/requests.ts';

const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
const toolCall = (meta: unknown) => ({ tool: 'list_sessions', principal: principalOf('ann', []), meta });

describe('trace context', () => {
  it('is taken from _meta when it is well-formed', () => {
    expect(traceOf({ traceparent, tracestate: 'a=1,b=2' })).toEqual({ traceparent, tracestate: 'a=1,b=2' });
    expect(traceOf({ traceparent, tracestate: 'a=1\r\nevil: x' })).toEqual({ traceparent });
    for (const bad of [
      undefined,
      null,
      'x',
      {},
      { traceparent: 7 },
      { traceparent: `${traceparent}\r\nevil: x` },
      { traceparent: traceparent.replace('0af7', 'zzzz') },
      { traceparent: `ff${traceparent.slice(2)}` },
      { traceparent: `00-${'0'.repeat(32)}-b7ad6b7169203331-01` },
      { traceparent: `00-0af7651916cd43dd8448eb211c80319c-${'0'.repeat(16)}-01` },
    ])
      expect(traceOf(bad)).toEqual({});
  });

  it('goes with the call to the services behind us, and with no other call', async () => {
    const seen: (string | undefined)[] = [];
    const upstream = http.createServer((req, res) => {
      seen.push(req.headers.traceparent as string | undefined);
      res.end('{}');
    });
    await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
    const client = httpClient({
      service: 'upstream',
      baseUrl: `http://127.0.0.1:${(upstream.address() as AddressInfo).port}`,
      headers: async () => ({}),
      toError: () => new SessionError('INTERNAL', 'x'),
      timeoutMs: 1000,
      maxBytes: 1000,
    });
    const product = await startProduct({
      backend: {
        name: 'remote',
        describe: async () => ({ name: 'remote', location: '', capabilities: [], notes: [] }),
        close: async () => {},
        sessions: {
          async list() {
            await client.json({ method: 'GET', path: '/x', retry: 'none' });
            return { items: [] };
          },
        },
      },
    });
    const params = { name: 'list_sessions', arguments: {} };
    const ask = (meta: object) => send(product.port, modernRequest('tools/call', { ...params, _meta: meta }));
    await Promise.all([ask({ traceparent }), ask({})]);
    expect(seen.sort()).toEqual([traceparent, undefined].sort());
    await product.end();
    upstream.close();
  });
});

describe('OpenTelemetry', () => {
  afterEach(() => {
    trace.disable();
    propagation.disable();
    context.disable();
  });

  it('is not there until somebody has put it there', async () => {
    const { around } = await openTelemetry();
    expect(await around(toolCall({ traceparent }), async () => traceHeaders())).toEqual({ traceparent });
    expect(await around(toolCall({}), async () => traceHeaders())).toEqual({});
  });

  it('sees every call as a span below the caller’s, and hands its own context on', async () => {
    const spans: { name: string; parent: unknown; attributes: object; status?: number; ended: boolean }[] =
      [];
    const onward = traceparent.replace('b7ad', 'c0de');
    propagation.setGlobalPropagator({
      inject: (_context, carrier, setter) => setter.set(carrier, 'traceparent', onward),
      extract: (from, carrier, getter) => from.setValue(parentKey, getter.get(carrier, 'traceparent')),
      fields: () => ['traceparent'],
    });
    const tracer = {
      startActiveSpan(
        name: string,
        options: { attributes: object },
        from: typeof context,
        run: (s: Span) => unknown,
      ) {
        const span = {
          name,
          parent: undefined as unknown,
          attributes: { ...options.attributes },
          ended: false,
        };
        span.parent = (from as unknown as { getValue(key: symbol): unknown }).getValue(parentKey);
        spans.push(span);
        return run({
          setAttributes: (more: object) => Object.assign(span.attributes, more),
          setStatus: ({ code }: { code: number }) => Object.assign(span, { status: code }),
          end: () => Object.assign(span, { ended: true }),
        } as unknown as Span);
      },
    } as unknown as Tracer;
    trace.setGlobalTracerProvider({ getTracer: () => tracer });
    const { around } = await openTelemetry();
    expect(await around(toolCall({ traceparent }), async () => traceHeaders())).toEqual({
      traceparent: onward,
    });
    const failing = around(toolCall({}), () => Promise.reject(new SessionError('NOT_FOUND', 'x')));
    await expect(failing).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(spans).toEqual([
      {
        name: 'tools/call list_sessions',
        parent: traceparent,
        attributes: { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': 'list_sessions' },
        ended: true,
      },
      {
        name: 'tools/call list_sessions',
        parent: undefined,
        attributes: expect.objectContaining({ 'error.type': 'NOT_FOUND' }),
        status: SpanStatusCode.ERROR,
        ended: true,
      },
    ]);
  });

  const parentKey = Symbol('parent');
});

describe('metrics', () => {
  it('are text that Prometheus reads', async () => {
    const prometheus = await openPrometheus();
    const { around, meters } = await openTelemetry([prometheus.meter]);
    const limits = createLimits(defaultLimits);
    const metrics = createMetrics(meters, limits);
    metrics?.request('POST', 200, 0.004);
    metrics?.request('BREW', 405, 0.2);
    metrics?.refused('rate');
    limits.take('ann', 'streams');
    await around(toolCall({}), async () => {});
    await around(toolCall({}), () => Promise.reject(new SessionError('NOT_FOUND', 'x'))).catch(() => {});
    const text = await prometheus.text();
    for (const line of text.trim().split('\n'))
      expect(line).toMatch(/^(# (HELP|TYPE|UNIT) \w+ .+|\w+(\{(\w+="[^"\n]*",?)+\})? [\d.e+-]+)$/);
    const durations = 'agent_sessions_tool_call_seconds';
    const listed = 'mcp_method_name="tools/call",gen_ai_tool_name="list_sessions"';
    for (const line of [
      'agent_sessions_http_requests_total{method="other",status="405"} 1',
      'agent_sessions_tool_calls_total{tool="list_sessions",code="OK"} 1',
      'agent_sessions_tool_calls_total{tool="list_sessions",code="NOT_FOUND"} 1',
      `${durations}_count{${listed}} 1`,
      `${durations}_bucket{${listed},error_type="NOT_FOUND",le="+Inf"} 1`,
      'agent_sessions_http_request_seconds_bucket{http_request_method="POST",http_response_status_code="200",le="0.005"} 1',
      'agent_sessions_refused_total{limit="rate"} 1',
      'agent_sessions_streams_open 1',
    ])
      expect(text).toContain(line);
  });

  it('are there only when switched on, and count what happens', async () => {
    const off = await startProduct();
    expect((await send(off.port, { method: 'GET', path: '/metrics' })).status).toBe(404);
    await off.end();
    const on = await startProduct({ settings: { metrics: true } });
    const params = { name: 'get_session', arguments: { sessionId: 'nope' } };
    await send(on.port, modernRequest('tools/call', params));
    const { body } = await send(on.port, { method: 'GET', path: '/metrics' });
    expect(body).toContain('agent_sessions_tool_calls_total{tool="get_session",code="NOT_FOUND"} 1');
    expect(body).toContain('agent_sessions_http_requests_total{method="POST",status="200"} 1');
    await on.end();
  });
});
