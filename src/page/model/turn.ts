import type { Session } from '../../model/session.ts';
import type { ToolCall } from '../../model/tool-call.ts';

/** Who is to act next, in words. What the server says of it counts; else the last event tells. */
export function turnOf(session: Session, openCalls: readonly ToolCall[] = []): string {
  if (openCalls.length > 0)
    return openCalls.length === 1
      ? 'waits for a tool’s answer'
      : `waits for ${openCalls.length} tools’ answers`;
  if (session.lastEvent === undefined) return session.eventCount === 0 ? 'has not begun' : '';
  return session.lastEvent.author === 'user' ? 'the agent’s turn' : 'the user’s turn';
}

/** How long after its last change a session counts as live. */
const liveMs = 60_000;

export const isLive = (session: Session, now: number): boolean =>
  now - Date.parse(session.updateTime) < liveMs;
