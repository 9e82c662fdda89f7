import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/server';

/** The requests of a connection that have no answer yet. */
export interface Unanswered {
  received(message: JSONRPCMessage): void;
  sent(message: JSONRPCMessage): void;
  /** Resolves when there are none, or after `ms` milliseconds with those that are left. */
  after(ms: number): Promise<RequestId[]>;
}

const pollMs = 10;

export function followUnanswered(): Unanswered {
  const open = new Set<RequestId>();
  return {
    received(message) {
      if (!('method' in message)) return;
      if ('id' in message) {
        // It is open as long as the connection, and the library ends it.
        if (message.method !== 'subscriptions/listen') open.add(message.id);
      } else if (message.method === 'notifications/cancelled') {
        // The library does not answer what was cancelled.
        const id = message.params?.requestId;
        if (typeof id === 'string' || typeof id === 'number') open.delete(id);
      }
    },
    sent(message) {
      if (!('method' in message) && message.id !== undefined) open.delete(message.id);
    },
    async after(ms) {
      const deadline = Date.now() + ms;
      while (open.size > 0 && Date.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, pollMs));
      return [...open];
    },
  };
}
