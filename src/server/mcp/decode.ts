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
    // Some programs write a byte order mark, which a reader may ignore (RFC 8259, section 8.1).
    value = JSON.parse(bytes.toString('utf8', hasMark(bytes) ? 3 : 0));
  } catch {
    return unreadable('the message is not valid JSON');
  }
  const all: unknown[] = Array.isArray(value) ? value : [value];
  const fault = all.map(faultOfParams).find((words) => words !== undefined);
  if (fault === undefined) return { value };
  return { fault: { code: invalidParams, message: `INVALID_ARGUMENT: ${fault}` }, id: idOf(value) };
}

const hasMark = (bytes: Buffer): boolean => bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;

const unreadable = (why: string): Decoded => ({
  fault: { code: parseError, message: `Parse error: ${why}` },
  id: null,
});

/** Longest address of a resource, in characters. That of the longest ids in the widest script has half of it. */
const maxUriLength = 16_384;

/** What is wrong with a message that the protocol's library would drop in silence or take for a failure of its own. */
function faultOfParams(message: unknown): string | undefined {
  if (!isObject(message) || !isObject(message.params)) return undefined;
  const { params } = message;
  // Deeper ones reach the tool, which refuses them.
  if (hasProto(params) || hasProto(params.arguments))
    return '"arguments.__proto__" is a reserved key. Use another key.';
  if (hasLongUri(params) || hasLongUri(params.ref))
    return `"uri" is longer than ${maxUriLength} characters. Use an address as resources/list and the tools give it.`;
  return undefined;
}

const hasProto = (value: unknown): boolean => isObject(value) && Object.hasOwn(value, '__proto__');

const hasLongUri = (value: unknown): boolean =>
  isObject(value) && typeof value.uri === 'string' && value.uri.length > maxUriLength;

/** The id of a message; null when it has none. */
export function idOf(message: unknown): string | number | null {
  const id = isObject(message) ? message.id : undefined;
  return typeof id === 'string' || typeof id === 'number' ? id : null;
}
