import { isObject, type JsonObject } from '../../model/json.ts';
import { toTime } from '../../model/time.ts';
import { msOfText } from '../shared/wire.ts';
import type { SessionRef } from '../types.ts';

/** A session that was found to be its owner's. */
export interface OwnSession {
  /** The session as Vectara sends it. */
  wire: JsonObject;
  /** Where it is: with Vectara's key as `sessionId`, which may differ from the caller's id. */
  at: SessionRef;
}

// Vectara adds fields at any time and guarantees few of them (docs/protocols/vectara.md, "Access"): every field is
// read as if it might be missing or of another type.

export function textField(wire: JsonObject, name: string): string | undefined {
  const value = wire[name];
  return typeof value === 'string' ? value : undefined;
}

export function numberField(wire: JsonObject, name: string): number | undefined {
  const value = wire[name];
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

export function objectField(wire: JsonObject, name: string): JsonObject | undefined {
  const value = wire[name];
  return isObject(value) ? value : undefined;
}

export function listField(wire: JsonObject, name: string): unknown[] {
  const value = wire[name];
  return Array.isArray(value) ? value : [];
}

/** A time in this server's format; `otherwise`, in milliseconds, when the field is missing or not a time. */
export function timeField(wire: JsonObject, name: string, otherwise = 0): string {
  const ms = msOfText(textField(wire, name) ?? '');
  return toTime(Number.isNaN(ms) ? otherwise : ms);
}

/** A time in microseconds since the epoch, for sorting; 0 when the field is missing or not a time. */
export function microsField(wire: JsonObject, name: string): number {
  const text = textField(wire, name) ?? '';
  const ms = msOfText(text);
  if (Number.isNaN(ms)) return 0;
  const finer = /\.\d{3}(\d{1,3})/.exec(text)?.[1] ?? '';
  return ms * 1000 + Number(finer.padEnd(3, '0'));
}
