import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { RequestId } from '@modelcontextprotocol/server';
import type { Principal } from '../../model/principal.ts';
import { type RpcErrorOptions, rpcErrorBody, rpcErrorHeaders } from './errors.ts';
import { answer, type HeaderBag } from './io.ts';

/** A request and its answer. */
export interface Exchange {
  req: IncomingMessage;
  res: ServerResponse;
  /** The request id, which is in the answer and in the log. */
  id: string;
  path: string;
  /** Headers of every answer to this request. */
  headers: HeaderBag;
  principal?: Principal;
  /** The JSON-RPC request in the body. */
  rpc?: RpcRequest;
}

export interface RpcRequest {
  method: string;
  /** The tool, for a tools/call. */
  tool?: string | undefined;
  /** The ids to answer; none for a notification. */
  ids: RequestId[];
}

export function openExchange(req: IncomingMessage, res: ServerResponse): Exchange {
  const given = req.headers['x-request-id'];
  // A valid id of a proxy is used, so that both logs have the same id.
  const id = typeof given === 'string' && /^[\w.-]{8,128}$/.test(given) ? given : randomUUID();
  return {
    req,
    res,
    id,
    path: (req.url ?? '/').split('?', 1)[0] ?? '/',
    headers: { 'x-request-id': id, 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' },
  };
}

/** Answers with an error of the transport. */
export function refuse(
  exchange: Exchange,
  status: number,
  message: string,
  more: RpcErrorOptions = {},
): void {
  const headers = { ...exchange.headers, ...rpcErrorHeaders(more) };
  answer(exchange.res, status, headers, rpcErrorBody(message, more));
}

export function refuseMethod(exchange: Exchange, allowed: readonly string[]): void {
  refuse(exchange, 405, 'Method not allowed.', { headers: { allow: allowed.join(', ') } });
}

/** The fields of an entry in the access log. None can be long or a secret. */
export function describeExchange(exchange: Exchange, ms: number): Record<string, unknown> {
  const { req, res, id, path, principal, rpc } = exchange;
  return {
    requestId: id,
    method: req.method,
    path: path.slice(0, 100),
    rpc: rpc?.method.slice(0, 64),
    tool: rpc?.tool?.slice(0, 64),
    user: principal?.userId,
    status: res.statusCode,
    complete: res.writableFinished,
    ms: Math.round(ms * 10) / 10,
  };
}
