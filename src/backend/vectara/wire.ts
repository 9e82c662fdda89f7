import { isObject, type JsonObject } from '../../model/json.ts';
import { toTime } from '../../model/time.ts';
import type { SessionRef } from '../types.ts';

/** A session of its owner's. */
export interface OwnSession {
  /** As Vectara has it. */
  wire: JsonObject;
  /** Under the key that Vectara knows it by, which every path below it takes. */
  at: SessionRef;
}

// Vectara adds fields at any time and promises only some (docs/protocols/vectara.md, "Access"): every field is read as if it
// might be missing or of another type.

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

/** A time as this server writes it; `otherwise` for one that is missing or cannot be read. */
export function timeField(wire: JsonObject, name: string, otherwise = 0): string {
  const ms = Date.parse(textField(wire, name) ?? '');
  return toTime(Number.isNaN(ms) ? otherwise : ms);
}

/** Microseconds since the epoch of a wire time, for putting things in order; 0 when it cannot be read. */
export function microsField(wire: JsonObject, name: string): number {
  const text = textField(wire, name) ?? '';
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) return 0;
  const finer = /\.\d{3}(\d{1,3})/.exec(text)?.[1] ?? '';
  return ms * 1000 + Number(finer.padEnd(3, '0'));
}
