import type { Context, Meter } from '@opentelemetry/api';
import { type ErrorCode, SessionError } from '../../errors.ts';
import { isObject } from '../../model/json.ts';
import { type TraceHeaders, withTrace } from '../../net/trace.ts';
import type { Around, ToolCall } from './deps.ts';

/** The global property in which OpenTelemetry's API keeps a registered SDK. */
const registered = Symbol.for('opentelemetry.js.api.1');

const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
const tracestate = /^[\x20-\x7e]{1,512}$/;

/** The trace context in a caller's `_meta`; empty when there is none or it is malformed. */
export function traceOf(meta: unknown): TraceHeaders {
  if (!isObject(meta) || typeof meta.traceparent !== 'string' || !traceparent.test(meta.traceparent))
    return {};
  const state = meta.tracestate;
  return {
    traceparent: meta.traceparent,
    ...(typeof state === 'string' && tracestate.test(state) ? { tracestate: state } : {}),
  };
}

export interface Telemetry {
  /** Traces and measures each call. */
  around: Around;
  /** Meters for further metrics; empty when nobody collects metrics. */
  meters: readonly Meter[];
}

const scope = 'agent-sessions-mcp';
/** Bounds of the histogram's buckets in seconds, from a read in memory to the longest wait. */
export const durationBounds = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60,
];

/**
 * Passes the trace context of each call on to the services that it reaches. If the operator has loaded an OpenTelemetry
 * SDK (`node --import ./otel.js`), each call also makes a span and metrics, under the names of the semantic conventions
 * for MCP; `own` meters get the same metrics. Without both, OpenTelemetry is not loaded.
 */
export async function openTelemetry(own: readonly Meter[] = []): Promise<Telemetry> {
  const hasSdk = Object.hasOwn(globalThis, registered);
  if (!hasSdk && own.length === 0) return { around: passOn, meters: [] };
  const api = await import('@opentelemetry/api');
  const meters = hasSdk ? [...own, api.metrics.getMeter(scope)] : own;
  const tracer = api.trace.getTracer(scope);
  const measure = callMeasures(meters);
  const around: Around = (call, run) => {
    const caller = traceOf(call.meta);
    const parent: Context = api.propagation.extract(api.context.active(), caller);
    const attributes = { 'mcp.method.name': 'tools/call', 'gen_ai.tool.name': call.tool };
    return tracer.startActiveSpan(
      `tools/call ${call.tool}`,
      { kind: api.SpanKind.SERVER, attributes },
      parent,
      async (span) => {
        const headers: Record<string, string> = {};
        api.propagation.inject(api.context.active(), headers);
        const onward = headers.traceparent === undefined ? caller : traceOf(headers);
        const began = performance.now();
        let fault: ErrorCode | undefined;
        try {
          return await withTrace(onward, run);
        } catch (error) {
          fault = error instanceof SessionError ? error.code : 'INTERNAL';
          span.setAttributes({ 'error.type': fault });
          span.setStatus({ code: api.SpanStatusCode.ERROR });
          throw error;
        } finally {
          span.end();
          measure(attributes, fault, (performance.now() - began) / 1000);
        }
      },
    );
  };
  return { around, meters };
}

/** Counts calls by tool and outcome, and measures how long they take. */
function callMeasures(meters: readonly Meter[]) {
  const all = meters.map((meter) => ({
    calls: meter.createCounter('agent_sessions.tool_calls', { description: 'Tool calls ended.' }),
    durations: meter.createHistogram('mcp.server.operation.duration', {
      description: 'Time that a tool call took.',
      unit: 's',
      advice: { explicitBucketBoundaries: durationBounds },
    }),
  }));
  return (
    attributes: { 'mcp.method.name': string; 'gen_ai.tool.name': string },
    fault: ErrorCode | undefined,
    seconds: number,
  ) => {
    const labelled = fault === undefined ? attributes : { ...attributes, 'error.type': fault };
    for (const { calls, durations } of all) {
      calls.add(1, { tool: attributes['gen_ai.tool.name'], code: fault ?? 'OK' });
      durations.record(seconds, labelled);
    }
  };
}

function passOn<T>(call: ToolCall, run: () => Promise<T>): Promise<T> {
  const headers = traceOf(call.meta);
  return headers.traceparent === undefined ? run() : withTrace(headers, run);
}
