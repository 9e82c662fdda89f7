/** An error of the transport. Its body is a JSON-RPC error, which clients read. `retryAfter` is in seconds. */
export interface RpcErrorOptions {
  code?: number | undefined;
  id?: string | number | null | undefined;
  retryAfter?: number | undefined;
  headers?: Record<string, string> | undefined;
}

export function rpcErrorBody(
  message: string,
  { code = -32000, id = null, retryAfter }: RpcErrorOptions,
): string {
  const data = retryAfter === undefined ? undefined : { retryAfterSeconds: wholeSeconds(retryAfter) };
  return JSON.stringify({ jsonrpc: '2.0', error: { code, message, data }, id });
}

export function rpcErrorHeaders({ headers, retryAfter }: RpcErrorOptions): Record<string, string> {
  return {
    'content-type': 'application/json',
    ...(retryAfter === undefined ? {} : { 'retry-after': String(wholeSeconds(retryAfter)) }),
    ...headers,
  };
}

export function rpcError(status: number, message: string, options: RpcErrorOptions = {}): Response {
  return new Response(rpcErrorBody(message, options), { status, headers: rpcErrorHeaders(options) });
}

const wholeSeconds = (seconds: number): number => Math.max(1, Math.ceil(seconds));
