import type { JSONRPCMessage, RequestId } from '@modelcontextprotocol/server';

/** The requests of a connection that have no answer yet. */
export interface Unanswered {
  received(message: JSONRPCMessage): void;
  sent(message: JSONRPCMessage): void;
  /** Resolves when there are none, or after `ms` milliseconds with those that are left. */
  after(ms: number): Promise<RequestId[]>;
  /** The same, but each answer grants the others `ms` milliseconds more. */
  afterLast(ms: number): Promise<RequestId[]>;
}

const pollMs = 10;

export function followUnanswered(): Unanswered {
  const open = new Set<RequestId>();
  let lastSent = 0;

  async function none(before: () => number): Promise<RequestId[]> {
    while (open.size > 0 && Date.now() < before())
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    return [...open];
  }

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
      if ('method' in message || message.id === undefined) return;
      open.delete(message.id);
      lastSent = Date.now();
    },
    after(ms) {
      const deadline = Date.now() + ms;
      return none(() => deadline);
    },
    afterLast(ms) {
      const began = Date.now();
      return none(() => Math.max(began, lastSent) + ms);
    },
  };
}
