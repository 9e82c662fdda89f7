import type { Meter } from '@opentelemetry/api';

/** How Prometheus names what the semantic conventions name otherwise. */
const names = {
  'mcp.server.operation.duration': 'agent_sessions_tool_call_seconds',
  'http.server.request.duration': 'agent_sessions_http_request_seconds',
};

/**
 * Collects for /metrics, by OpenTelemetry's own exporter: traces and metrics are one system, whoever reads them. It
 * is a development dependency because the build puts it into a chunk of dist/ (58 kB), which is loaded only when
 * /metrics is switched on; prom-client would have been as large, and a second set of measures.
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
  // No timestamps, and no labels but our own.
  const serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  return {
    meter: provider.getMeter('agent-sessions-mcp'),
    async text() {
      const { resourceMetrics } = await reader.collect();
      return serializer.serialize(resourceMetrics);
    },
  };
}
