import { AsyncLocalStorage } from 'node:async_hooks';

/** Headers of W3C Trace Context that requests to services carry along: `traceparent`, `tracestate`. */
export type TraceHeaders = Readonly<Record<string, string>>;

const current = new AsyncLocalStorage<TraceHeaders>();
const none: TraceHeaders = {};

/** Runs something whose requests to services belong to a trace. */
export const withTrace = <T>(headers: TraceHeaders, run: () => T): T => current.run(headers, run);

export const traceHeaders = (): TraceHeaders => current.getStore() ?? none;
