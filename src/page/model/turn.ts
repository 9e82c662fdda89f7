import type { Session } from '../../model/session.ts';
import type { ToolCall } from '../../model/tool-call.ts';
import { plainName } from './text.ts';

/** Who is to act next, in words. An open turn counts, then open tool calls; else the last event tells. */
export function turnOf(session: Session, openCalls: readonly ToolCall[] = [], now = Date.now()): string {
  const { turn, lastEvent, eventCount } = session;
  if (turn?.agent !== undefined) return `${plainName(turn.agent)}’s turn, ${standing(turn, now)}`;
  if (openCalls.length > 0)
    return openCalls.length === 1
      ? 'waits for a tool’s answer'
      : `waits for ${openCalls.length} tools’ answers`;
  if (lastEvent === undefined) return eventCount === 0 ? 'has not begun' : '';
  return lastEvent.author === 'user' ? 'the agent’s turn' : 'the user’s turn';
}

/** How long after its last change a session counts as live. */
const liveMs = 60_000;

export const isLive = (session: Session, now: number): boolean =>
  now - Date.parse(session.updateTime) < liveMs;

function standing(turn: NonNullable<Session['turn']>, now: number): string {
  const isClaimed = turn.claimedUntil !== undefined && Date.parse(turn.claimedUntil) > now;
  if (isClaimed) return `claimed by ${plainName(turn.worker ?? turn.agent ?? '')}`;
  if (turn.failure === undefined) return 'nobody has taken it';
  return `which failed${turn.tries === 1 ? '' : ` ${turn.tries} times`} and is tried again`;
}
