import { randomUUID } from 'node:crypto';
import { SdkError, SdkErrorCode, type ServerContext } from '@modelcontextprotocol/server';

let reasonOfServer: string | undefined;

/**
 * The reason with which the server itself ends a call: its answer can no longer be delivered, or the server shuts down.
 * It is random, so that no caller can send it, and made when it is needed, since few servers ever do.
 */
export function callerLost(): string {
  reasonOfServer ??= `caller lost ${randomUUID()}`;
  return reasonOfServer;
}

/**
 * Whether an aborted call was cancelled by its caller. The SDK aborts a call's signal in three cases:
 *
 * - `notifications/cancelled` came: the caller wants the work to end. Clients also send it after their own time-out.
 *   (When the server itself ends the call, the reason is that of `callerLost`.)
 * - The whole connection ended: stdio was closed, or an HTTP session of 2025 was deleted or expired. Nobody asked for
 *   the work to end. (A broken stream of that era aborts nothing.)
 * - The connection of a single HTTP request of 2026 ended. Closing the stream is how a client of that era cancels, and
 *   by the specification a server takes every end of the stream for that (docs/protocols/mcp.md, "Two eras"). It also
 *   happens after the answer, when no tool listens any more. A run that must outlive its request is called with
 *   `waitSeconds: 0`.
 */
export function wasCancelled(ctx: ServerContext): boolean {
  const { signal, envelope } = ctx.mcpReq;
  if (!signal.aborted) return false;
  const { reason } = signal;
  const isOurs = (why: unknown) => why !== undefined && why === reasonOfServer;
  if (isOurs(reason) || isOurs(ctx.http?.req?.signal.reason)) return false;
  const closed = reason instanceof SdkError && reason.code === SdkErrorCode.ConnectionClosed;
  const perRequest = ctx.http !== undefined && envelope !== undefined;
  return !closed || perRequest;
}
