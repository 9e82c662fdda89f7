import type { ServerResponse } from 'node:http';
import type { RequestId } from '@modelcontextprotocol/server';
import type { Principal } from '../../model/principal.ts';
import type { Authenticate, Verdict } from '../auth/index.ts';
import { callerLost } from '../mcp/cancelled.ts';
import { type RpcErrorOptions, rpcErrorBody } from './errors.ts';
import { type Exchange, refuse } from './exchange.ts';
import { eventOf } from './keep-alive.ts';
import type { PendingRequests } from './pending-requests.ts';
import { ownerKey } from './sessions-2025.ts';

/** A request whose answer is not complete. */
export interface OpenRequest {
  exchange: Exchange;
  principal: Principal;
  /** Ends the work of the request. */
  end: AbortController;
  /** For a POST in a session of 2025: its requests, whose work does not end with the connection. */
  pending?: PendingRequests | undefined;
  /** For a stream of notifications: ends it without an error. */
  endStream?: (() => void) | undefined;
}

/** The requests that are under way, so that the server can end them. */
export interface OpenRequests {
  add(request: OpenRequest): void;
  /** Ends the requests whose token is no longer valid. */
  endRevoked(authenticate: Authenticate, challenge: Record<string, string>): Promise<void>;
  /** Ends streams, waits up to `graceMs` for the other requests, and answers the rest with a 503 and Retry-After. */
  close(graceMs: number): Promise<void>;
}

const pollMs = 20;
/** Seconds after which a client may call again, since another server may have taken over. */
export const restartSeconds = 1;

export function createOpenRequests(): OpenRequests {
  const open = new Map<ServerResponse, OpenRequest>();

  return {
    add(request) {
      const { res } = request.exchange;
      open.set(res, request);
      res.once('close', () => open.delete(res));
    },

    async endRevoked(authenticate, challenge) {
      // Many requests have the same token, so each token is checked once.
      const verdicts = new Map<string | undefined, Promise<Verdict | undefined>>();
      for (const request of [...open.values()]) {
        const { authorization } = request.exchange.req.headers;
        // A token counts as valid while its issuer cannot be reached.
        const asked = verdicts.get(authorization) ?? authenticate(authorization).catch(() => undefined);
        verdicts.set(authorization, asked);
        const verdict = await asked;
        if (verdict === undefined) continue;
        if (verdict.kind === 'caller' && ownerKey(verdict.principal) === ownerKey(request.principal))
          continue;
        const message = 'The token is no longer valid.';
        interrupt(request, { status: 401, message, headers: challenge }, message);
      }
    },

    async close(graceMs) {
      for (const { endStream } of open.values()) endStream?.();
      const deadline = Date.now() + graceMs;
      while (open.size > 0 && Date.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      const answer = { status: 503, message: 'The server is shutting down. Call again in a moment.' };
      for (const request of open.values())
        interrupt(request, { ...answer, retryAfter: restartSeconds }, callerLost());
    },
  };
}

/** Answers a request with an error, on a stream that has begun too, and ends the work behind it. */
function interrupt(
  { exchange, end, pending, endStream }: OpenRequest,
  { status, message, ...more }: RpcErrorOptions & { status: number; message: string },
  reason: string,
): void {
  const { res, rpc } = exchange;
  const ids: RequestId[] = pending?.ids() ?? rpc?.ids ?? [];
  if (!res.headersSent) refuse(exchange, status, message, { ...more, id: ids[0] });
  else if (endStream === undefined && !res.writableEnded)
    res.end(ids.map((id) => eventOf(rpcErrorBody(message, { ...more, id }))).join(''));
  endStream?.();
  pending?.cancel(reason);
  end.abort(reason);
}
