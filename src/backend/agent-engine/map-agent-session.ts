import type { Event } from '../../model/event.ts';
import { isObject, type JsonObject } from '../../model/json.ts';
import type { Session } from '../../model/session.ts';
import { sessionNotFound } from '../shared/errors.ts';
import type { Owner } from '../types.ts';

import { timeOf, toStreamEvent } from './map-event.ts';
import { fieldOf, textOf } from './wire.ts';

/** A session as an agent's class methods tell of it: with its events, and without a time of creation. */
export type AgentSession = Omit<Session, 'createTime'> & { events: Event[] };

/**
 * Session objects come in snake_case from most runtimes, and in camelCase from some
 * (docs/protocols/agent-engine.md, Running an engine).
 */
export function toAgentSession(wire: JsonObject, owner: Owner): AgentSession {
  const { events } = wire;
  return {
    id: textOf(wire, 'id') ?? '',
    app: owner.app,
    userId: textOf(wire, 'userId') ?? '',
    state: isObject(wire.state) ? wire.state : {},
    updateTime: timeOf(fieldOf(wire, 'lastUpdateTime')),
    events: (Array.isArray(events) ? (events as unknown[]) : [])
      .filter(isObject)
      .map((event, i) => toStreamEvent(event, { id: `event-${i}`, invocationId: '' })),
  };
}

/** What a class method answered; sessions in our own form, and only the owner's. */
export function toAgentOutput(classMethod: string, output: unknown, owner: Owner): unknown {
  const verb = /^(?:async_)?(create_session|get_session|list_sessions)$/.exec(classMethod)?.[1];
  if (verb === undefined || !isObject(output)) return output ?? null;
  if (verb === 'list_sessions') {
    const sessions = Array.isArray(output.sessions) ? (output.sessions as unknown[]).filter(isObject) : [];
    return {
      sessions: sessions.map((wire) => toAgentSession(wire, owner)).filter((s) => s.userId === owner.userId),
    };
  }
  const session = toAgentSession(output, owner);
  if (session.userId !== owner.userId) throw sessionNotFound();
  return session;
}
