import { isUtf8 } from 'node:buffer';
import { isObject } from '../../model/json.ts';

/** A JSON-RPC error for bytes that are not a message. */
export interface WireFault {
  code: number;
  message: string;
}

/** JSON-RPC's codes for a message that is not JSON, not a request, or a request with wrong parameters. */
const parseError = -32700;
export const invalidRequest = -32600;
const invalidParams = -32602;

/** The decoded value, or the error and the id to answer. */
type Decoded = { value: unknown } | { fault: WireFault; id: string | number | null };

/**
 * Decodes a message. Bytes that are not UTF-8 are refused: a decoder would replace them by U+FFFD, and the server would
 * store another text than the caller sent.
 */
export function decodeMessage(bytes: Buffer): Decoded {
  if (!isUtf8(bytes)) return unreadable('the message is not UTF-8');
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch {
    return unreadable('the message is not valid JSON');
  }
  const all: unknown[] = Array.isArray(value) ? value : [value];
  // The protocol's library drops a `__proto__` argument silently, so it is refused here; deeper ones reach the tool.
  if (!all.some(hasLostArgument)) return { value };
  const message = 'INVALID_ARGUMENT: "arguments.__proto__" is a reserved key. Use another key.';
  return { fault: { code: invalidParams, message }, id: idOf(value) };
}

const unreadable = (why: string): Decoded => ({
  fault: { code: parseError, message: `Parse error: ${why}` },
  id: null,
});

function hasLostArgument(message: unknown): boolean {
  if (!isObject(message) || !isObject(message.params)) return false;
  const { params } = message;
  return (
    Object.hasOwn(params, '__proto__') ||
    (isObject(params.arguments) && Object.hasOwn(params.arguments, '__proto__'))
  );
}

/** The id of a message; null when it has none. */
export function idOf(message: unknown): string | number | null {
  const id = isObject(message) ? message.id : undefined;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}
