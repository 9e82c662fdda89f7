import { randomUUID } from 'node:crypto';
import { SdkError, SdkErrorCode, type ServerContext } from '@modelcontextprotocol/server';

/**
 * The reason of an end that no caller asked for: the answer can no longer be delivered, or the server ends. Made
 * anew in each process, so that no caller can give it.
 */
export const callerLost = `caller lost ${randomUUID()}`;

/**
 * Whether an aborted call was cancelled by its caller. The SDK aborts a call's signal in three cases:
 *
 * - `notifications/cancelled` came: the caller wants the work to end. Also what clients send when their own
 *   time-out has passed. (Where the server itself ends the call, the reason is `callerLost`.)
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
  if (reason === callerLost || ctx.http?.req?.signal.reason === callerLost) return false;
  const closed = reason instanceof SdkError && reason.code === SdkErrorCode.ConnectionClosed;
  const perRequest = ctx.http !== undefined && envelope !== undefined;
  return !closed || perRequest;
}
