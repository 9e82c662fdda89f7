import { isObject, type JsonObject } from '../../model/json.ts';
import { sessionNotFound } from '../shared/errors.ts';
import type { Owner } from '../types.ts';
import { timeOf } from './map-event.ts';
import { fieldOf, textOf } from './wire.ts';

/**
 * Maps a session that an agent's class method answered. All fields stay as the agent wrote them; the owner and the
 * time are added under the names and in the units that all other tools use. Runtimes write snake_case or camelCase,
 * and times as numbers (docs/protocols/agent-engine.md, "Running an engine").
 */
export function toAgentSession(wire: JsonObject, owner: Owner): JsonObject {
  return {
    ...wire,
    app: owner.app,
    userId: textOf(wire, 'userId') ?? '',
    updateTime: timeOf(fieldOf(wire, 'lastUpdateTime')),
  };
}

/** The session for an agent's class method, without the fields that `toAgentSession` added. */
export function fromAgentSession(session: JsonObject): JsonObject {
  const { app: _app, updateTime: _updateTime, userId, ...wire } = session;
  return userId === undefined || Object.hasOwn(wire, 'user_id') ? wire : { ...wire, userId };
}

/** The answer of a class method. Sessions in it are only the owner's. @throws SessionError NOT_FOUND */
export function toAgentOutput(classMethod: string, output: unknown, owner: Owner): unknown {
  const verb = /^(?:async_)?(create_session|get_session|list_sessions)$/.exec(classMethod)?.[1];
  if (verb === undefined || !isObject(output)) return output ?? null;
  const isOwn = (session: JsonObject) => session.userId === owner.userId;
  if (verb === 'list_sessions') {
    const sessions = Array.isArray(output.sessions) ? (output.sessions as unknown[]).filter(isObject) : [];
    return { ...output, sessions: sessions.map((wire) => toAgentSession(wire, owner)).filter(isOwn) };
  }
  const session = toAgentSession(output, owner);
  if (!isOwn(session)) throw sessionNotFound();
  return session;
}
