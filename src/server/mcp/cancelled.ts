import { SdkError, SdkErrorCode, type ServerContext } from '@modelcontextprotocol/server';

/**
 * Whether an aborted call was cancelled by its caller. The SDK aborts a call's signal in three cases:
 *
 * - `notifications/cancelled` came: the caller wants the work to end. Also what clients send when their own
 *   time-out has passed.
 * - The connection of a whole conversation ended: stdio was closed, or a session of HTTP's older era was
 *   deleted or expired. Nobody said that the work should end. (A stream of that era that breaks aborts
 *   nothing at all.)
 * - The one request's connection ended, in the HTTP era of 2026: there closing the stream is how a client
 *   cancels, and the specification has a server take every end of it for that. It also happens after the
 *   answer has been sent, when no tool listens any more. Whoever wants a run to outlive the request there
 *   asks with `waitSeconds: 0`.
 */
export function wasCancelled(ctx: ServerContext): boolean {
  const { signal, envelope } = ctx.mcpReq;
  if (!signal.aborted) return false;
  const { reason } = signal;
  const closed = reason instanceof SdkError && reason.code === SdkErrorCode.ConnectionClosed;
  const perRequest = ctx.http !== undefined && envelope !== undefined;
  return !closed || perRequest;
}
