import { type Backend, required, type SessionRef } from '../backend/types.ts';
import type { Content } from '../model/event.ts';
import type { Turn } from '../model/turn.ts';
import { waitAtMost } from './wait.ts';

/** Longest time between two looks at a session whose changes no watch announced. */
const lookMs = 15_000;

/** What the agent is to answer, and the event that has it. */
export interface Question {
  eventId: string;
  message: Content;
}

interface OutputWait {
  /** It may end meanwhile. */
  turn: Turn;
  /** The event that the agent was asked last. */
  after: string;
  /** Called when there are calls to wait for. */
  rests(): void;
  signal: AbortSignal;
}

/**
 * Waits until the tool calls of a session are answered that keep its agent from going on.
 * @returns the event with the last of the outputs; 'none' when no call kept the agent from answering; undefined when the
 * turn is over or the signal aborted
 */
export async function outputsOf(
  backend: Backend,
  ref: SessionRef,
  { turn, after, rests, signal }: OutputWait,
): Promise<Question | 'none' | undefined> {
  const calls = required(backend.toolCalls?.list, backend, 'list tool calls');
  let wake: () => void = () => {};
  const unwatch = backend.sessions?.watch?.(ref, () => wake());
  try {
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (signal.aborted || !(await isOpen(backend, ref, turn.eventId))) return undefined;
      if ((await calls(ref)).length === 0)
        return await lastOutputs(backend, ref, { after, agent: turn.agent });
      rests();
      await waitAtMost(changed, lookMs, signal);
    }
  } finally {
    unwatch?.();
  }
}

/** Outputs that others gave: what the agent's own tools answered it has heard. */
async function lastOutputs(
  backend: Backend,
  ref: SessionRef,
  { after, agent }: { after: string; agent: string },
): Promise<Question | 'none'> {
  const list = required(backend.events?.list, backend, 'list events');
  const { items } = await list(ref, { order: 'desc', pageSize: 100, afterEventId: after });
  for (const { id, author, content } of items)
    if (author !== agent && content?.parts.some((part) => part.functionResponse !== undefined))
      return { eventId: id, message: content };
  return 'none';
}

/** Whether the turn that an event opened is still open. */
export async function isOpen(backend: Backend, ref: SessionRef, eventId: string): Promise<boolean> {
  return (await backend.sessions?.get?.(ref))?.turn?.eventId === eventId;
}
