import type { Meter } from '@opentelemetry/api';
import { durationBounds } from '../mcp/telemetry.ts';
import type { Counted, Limits } from './limits.ts';

/** Metrics of HTTP; telemetry.ts has those of tool calls. No attribute holds text of a caller. */
export interface Metrics {
  /** Counts a request that was answered. */
  request(method: string, status: number, seconds: number): void;
  /** Counts a request or call that a limit refused. */
  refused(limit: string): void;
}

const methods = ['GET', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PUT', 'PATCH'];

const gauges: Record<string, Counted> = {
  requests_under_way: 'requests',
  tool_calls_under_way: 'calls',
  streams_open: 'streams',
  protocol_sessions: 'sessions',
  subscriptions: 'subscriptions',
};

/** Metrics for all meters; undefined when nobody collects metrics. */
export function createMetrics(meters: readonly Meter[], limits: Limits): Metrics | undefined {
  if (meters.length === 0) return undefined;
  const all = meters.map((meter) => {
    for (const [name, counted] of Object.entries(gauges))
      meter
        .createObservableGauge(`agent_sessions.${name}`)
        .addCallback((result) => result.observe(limits.total(counted)));
    return {
      requests: meter.createCounter('agent_sessions.http_requests', {
        description: 'Requests that were answered.',
      }),
      durations: meter.createHistogram('http.server.request.duration', {
        description: 'Time until the answer to a request was complete.',
        unit: 's',
        advice: { explicitBucketBoundaries: durationBounds },
      }),
      refusals: meter.createCounter('agent_sessions.refused', {
        description: 'Requests that a limit refused.',
      }),
    };
  });
  return {
    request(given, status, seconds) {
      const method = methods.includes(given) ? given : 'other';
      for (const { requests, durations } of all) {
        requests.add(1, { method, status });
        durations.record(seconds, { 'http.request.method': method, 'http.response.status_code': status });
      }
    },
    refused(limit) {
      for (const { refusals } of all) refusals.add(1, { limit });
    },
  };
}
