import type { Context, Histogram, Span } from '@opentelemetry/api';
import { SessionError } from '../../errors.ts';
import { isObject } from '../../model/json.ts';
import { type TraceHeaders, withTrace } from '../../net/trace.ts';
import type { Around, ToolCall } from './deps.ts';

/** Where OpenTelemetry's API keeps what an SDK has registered; unset until one has. */
const registered = Symbol.for('opentelemetry.js.api.1');

const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const tracestate = /^[\x20-\x7e]{1,512}$/;

/** The trace that a caller's `_meta` places its request in; empty when it names none, or a malformed one. */
export function traceOf(meta: unknown): TraceHeaders {
  if (!isObject(meta) || typeof meta.traceparent !== 'string' || !traceparent.test(meta.traceparent))
    return {};
  const state = meta.tracestate;
  return {
    traceparent: meta.traceparent,
    ...(typeof state === 'string' && tracestate.test(state) ? { tracestate: state } : {}),
  };
}

/**
 * Hands the trace context of each call on to the services that it reaches. Where the operator has loaded an
 * OpenTelemetry SDK (`node --import ./otel.js`), each call is also a span and a measurement, under the names
 * of the semantic conventions for MCP; elsewhere OpenTelemetry is not even loaded.
 */
export async function openTelemetry(): Promise<Around> {
  if (!Object.hasOwn(globalThis, registered)) return passOn;
  const api = await import('@opentelemetry/api');
  const tracer = api.trace.getTracer('agent-sessions-mcp');
  const durations = api.metrics
    .getMeter('agent-sessions-mcp')
    .createHistogram('mcp.server.operation.duration', { unit: 's' });
  return (call, run) => {
    const caller = traceOf(call.meta);
    const parent: Context = api.propagation.extract(api.context.active(), caller);
    const attributes = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': call.tool };
    return tracer.startActiveSpan(
      `tools/call ${call.tool}`,
      { kind: api.SpanKind.SERVER, attributes },
      parent,
      (span) => {
        const headers: Record<string, string> = {};
        api.propagation.inject(api.context.active(), headers);
        const onward = headers.traceparent === undefined ? caller : traceOf(headers);
        return measured(span, durations, attributes, () => withTrace(onward, run), api.SpanStatusCode.ERROR);
      },
    );
  };
}

async function measured<T>(
  span: Span,
  durations: Histogram,
  attributes: Record<string, string>,
  run: () => Promise<T>,
  failed: number,
): Promise<T> {
  const began = performance.now();
  let fault: { 'error.type'?: string } = {};
  try {
    return await run();
  } catch (error) {
    fault = { 'error.type': error instanceof SessionError ? error.code : 'INTERNAL' };
    span.setAttributes(fault);
    span.setStatus({ code: failed });
    throw error;
  } finally {
    span.end();
    durations.record((performance.now() - began) / 1000, { ...attributes, ...fault });
  }
}

function passOn<T>(call: ToolCall, run: () => Promise<T>): Promise<T> {
  const headers = traceOf(call.meta);
  return headers.traceparent === undefined ? run() : withTrace(headers, run);
}
