/** Counters in the text format of Prometheus. Every label has few values: none holds what a caller wrote. */
export interface Metrics {
  /** A request that was answered. */
  request(method: string, status: number, seconds: number): void;
  /** A tool call that ended; `code` is OK or the error's. */
  call(tool: string, code: string, seconds: number): void;
  /** A request or call that a limit refused. */
  refused(limit: string): void;
  /** `gauges` are what is so now, by name. */
  text(gauges: Readonly<Record<string, number>>): string;
}

const prefix = 'agent_sessions_';
const bounds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const methods = ['GET', 'POST', 'DELETE', 'OPTIONS', 'HEAD', 'PUT', 'PATCH'];

interface Histogram {
  buckets: number[];
  sum: number;
  count: number;
}

export function createMetrics(): Metrics {
  const requests = new Map<string, number>();
  const calls = new Map<string, number>();
  const refusals = new Map<string, number>();
  const requestTimes = new Map<string, Histogram>();
  const callTimes = new Map<string, Histogram>();
  return {
    request(method, status, seconds) {
      const known = methods.includes(method) ? method : 'other';
      count(requests, `method="${known}",status="${status}"`);
      observe(requestTimes, `method="${known}"`, seconds);
    },
    call(tool, code, seconds) {
      count(calls, `tool="${tool}",code="${code}"`);
      observe(callTimes, `tool="${tool}"`, seconds);
    },
    refused: (limit) => count(refusals, `limit="${limit}"`),
    text: (gauges) =>
      [
        ...counters('http_requests_total', 'Requests answered.', requests),
        ...histograms('http_request_seconds', 'Time until a request was answered whole.', requestTimes),
        ...counters('tool_calls_total', 'Tool calls ended.', calls),
        ...histograms('tool_call_seconds', 'Time that a tool call took.', callTimes),
        ...counters('refused_total', 'What a limit refused.', refusals),
        ...Object.entries(gauges).flatMap(([name, value]) => [
          `# TYPE ${prefix}${name} gauge`,
          `${prefix}${name} ${value}`,
        ]),
        '',
      ].join('\n'),
  };
}

function count(series: Map<string, number>, labels: string): void {
  series.set(labels, (series.get(labels) ?? 0) + 1);
}

function observe(series: Map<string, Histogram>, labels: string, seconds: number): void {
  let histogram = series.get(labels);
  if (histogram === undefined) {
    histogram = { buckets: bounds.map(() => 0), sum: 0, count: 0 };
    series.set(labels, histogram);
  }
  const index = bounds.findIndex((bound) => seconds <= bound);
  if (index >= 0) histogram.buckets[index] = (histogram.buckets[index] ?? 0) + 1;
  histogram.sum += seconds;
  histogram.count += 1;
}

function counters(name: string, help: string, series: ReadonlyMap<string, number>): string[] {
  const lines = [...series].map(([labels, value]) => `${prefix}${name}{${labels}} ${value}`);
  return lines.length === 0 ? [] : [...head(name, help, 'counter'), ...lines];
}

function histograms(name: string, help: string, series: ReadonlyMap<string, Histogram>): string[] {
  const lines = [...series].flatMap(([labels, { buckets, sum, count: all }]) => {
    let below = 0;
    return [
      ...bounds.map((bound, i) => {
        below += buckets[i] ?? 0;
        return `${prefix}${name}_bucket{${labels},le="${bound}"} ${below}`;
      }),
      `${prefix}${name}_bucket{${labels},le="+Inf"} ${all}`,
      `${prefix}${name}_sum{${labels}} ${sum}`,
      `${prefix}${name}_count{${labels}} ${all}`,
    ];
  });
  return lines.length === 0 ? [] : [...head(name, help, 'histogram'), ...lines];
}

const head = (name: string, help: string, type: string): string[] => [
  `# HELP ${prefix}${name} ${help}`,
  `# TYPE ${prefix}${name} ${type}`,
];
