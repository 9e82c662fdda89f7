import type { Meter } from '@opentelemetry/api';

/** Names for Prometheus, in place of those of OpenTelemetry's semantic conventions. */
const names = {
  'mcp.server.operation.duration': 'agent_sessions_tool_call_seconds',
  'http.server.request.duration': 'agent_sessions_http_request_seconds',
};

/**
 * Collects metrics for /metrics with OpenTelemetry's Prometheus exporter, so that traces and metrics are one system. The
 * exporter is a development dependency: the build puts it into a chunk of dist/ (58 kB), which is loaded only when
 * /metrics is switched on. prom-client is as large, and would be a second set of metrics.
 */
export async function openPrometheus(): Promise<{ meter: Meter; text(): Promise<string> }> {
  const [{ MeterProvider }, { PrometheusExporter, PrometheusSerializer }] = await Promise.all([
    import('@opentelemetry/sdk-metrics'),
    import('@opentelemetry/exporter-prometheus'),
  ]);
  const reader = new PrometheusExporter({ preventServerStart: true });
  const provider = new MeterProvider({
    readers: [reader],
    views: Object.entries(names).map(([instrumentName, name]) => ({ instrumentName, name })),
  });
  // Without timestamps, and without labels of the exporter.
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    meter: provider.getMeter('agent-sessions-mcp'),
    async text() {
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize(resourceMetrics);
    },
  };
}
