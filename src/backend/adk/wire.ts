import { isObject, type JsonObject } from '../../model/json.ts';
import type { Owner } from '../types.ts';
import { notAdk } from './errors.ts';

/** A session as a server wrote it, its events among it. */
export interface WireSession extends JsonObject {
  id: string;
  events: JsonObject[];
}

/** @throws SessionError UNAVAILABLE when the value is not a session */
export function toWireSession(value: unknown): WireSession {
  if (!isObject(value) || (typeof value.id !== 'string' && typeof value.id !== 'number')) throw notAdk();
  return {
    ...value,
    id: String(value.id),
    events: Array.isArray(value.events) ? value.events.filter(isObject) : [],
  };
}

/** The app is not compared: a server started with `--app_name` reports that name for every app. */
export function belongsTo(session: JsonObject, owner: Owner): boolean {
  return session.userId === undefined || String(session.userId) === owner.userId;
}
