import type {
  JSONRPCMessage,
  RequestId,
  WebStandardStreamableHTTPServerTransport,
} from '@modelcontextprotocol/server';
import { isObject } from '../../model/json.ts';

/** The requests of one POST that have no answer yet. */
export interface PendingRequests {
  ids(): RequestId[];
  /** Ends them as if the client had cancelled them with this reason. */
  cancel(reason: string): void;
  /** Takes the notes back, for a POST that was refused as a whole. */
  forget(): void;
  /** Called with each request that gets its answer or is cancelled. */
  onSettled(callback: (id: RequestId) => void): void;
}

interface Post {
  ids: Set<RequestId>;
  callbacks: ((id: RequestId) => void)[];
}

/**
 * Follows the requests of a protocol session of 2025. The SDK does not answer cancelled requests, but ends the stream of
 * a POST only when all of its requests are answered. Without this code the stream of a cancelled call would stay open,
 * and count against the limits, until its client disconnects.
 */
export function followRequests(transport: WebStandardStreamableHTTPServerTransport) {
  const posts = new Map<RequestId, Post>();

  function settle(id: RequestId): void {
    const post = posts.get(id);
    if (post === undefined) return;
    posts.delete(id);
    post.ids.delete(id);
    for (const callback of post.callbacks) callback(id);
    if (post.ids.size === 0) transport.closeSSEStream(id);
  }

  const send = transport.send.bind(transport);
  transport.send = async (message, options) => {
    try {
      await send(message, options);
    } finally {
      if (!('method' in message) && message.id !== undefined) settle(message.id);
    }
  };

  return {
    /**
     * Notes the requests of a POST. Call it before the SDK gets the POST. Undefined when one has the id of another that
     * is under way: the SDK would send both answers on one stream, and none on the other.
     */
    begin(body: unknown): PendingRequests | undefined {
      const ids = requestIdsOf(body);
      const post: Post = { ids: new Set(ids), callbacks: [] };
      if (post.ids.size < ids.length || ids.some((id) => posts.has(id))) return undefined;
      for (const id of post.ids) posts.set(id, post);
      return {
        ids: () => [...post.ids],
        forget() {
          for (const id of post.ids) posts.delete(id);
          post.ids.clear();
        },
        onSettled: (callback) => post.callbacks.push(callback),
        cancel(reason) {
          for (const requestId of post.ids) {
            const method = 'notifications/cancelled';
            const message: JSONRPCMessage = { jsonrpc: '2.0', method, params: { requestId, reason } };
            transport.onmessage?.(message);
            settle(requestId);
          }
        },
      };
    },
    /** Settles the requests that a POST has cancelled. Call it after the SDK got the POST. */
    settleCancelled(body: unknown): void {
      for (const message of messagesOf(body))
        if (message.method === 'notifications/cancelled' && isObject(message.params)) {
          const { requestId } = message.params;
          if (typeof requestId === 'string' || typeof requestId === 'number') settle(requestId);
        }
    },
  };
}

const messagesOf = (body: unknown) => (Array.isArray(body) ? body : [body]).filter(isObject);

/** The ids of the requests in the body of a POST. */
export const requestIdsOf = (body: unknown): RequestId[] =>
  messagesOf(body).flatMap(({ method, id }) =>
    typeof method === 'string' && (typeof id === 'string' || typeof id === 'number') ? [id] : [],
  );
