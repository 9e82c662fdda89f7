import { isObject, type JsonObject } from '../../model/json.ts';
import type { Owner } from '../types.ts';
import { notAdk } from './errors.ts';

/** A session as a server sends it, with its events. */
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

/**
 * Whether a session is the user's. A server started with `--app_name` reports that name for every app, so the app
 * is not compared.
 */
export function belongsTo(session: JsonObject, owner: Owner): boolean {
  return session.userId === undefined || String(session.userId) === owner.userId;
}
