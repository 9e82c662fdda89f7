import { isObject, type JsonObject } from '../../model/json.ts';
import { CallFailure } from './types.ts';

/** The structured result of a tools/call. @throws CallFailure when the tool says that it failed */
export function resultOf(result: unknown): JsonObject {
  if (!isObject(result))
    throw new CallFailure('INTERNAL', 'The server’s answer is not the result of a tool.');
  if (result.isError !== true) return structuredOf(result) ?? {};
  const { error } = jsonOf(result) ?? {};
  if (!isObject(error)) throw new CallFailure('INTERNAL', textOf(result) || 'The call failed.');
  throw new CallFailure(String(error.code), String(error.message), {
    hint: typeof error.hint === 'string' ? error.hint : undefined,
    retryAfter: typeof error.retryAfterSeconds === 'number' ? error.retryAfterSeconds : undefined,
  });
}

/** The same without a verdict; undefined when there is no object in it. Some hosts pass on the text alone. */
export const structuredOf = (result: JsonObject): JsonObject | undefined =>
  isObject(result.structuredContent) ? result.structuredContent : jsonOf(result);

function jsonOf(result: JsonObject): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(textOf(result));
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function textOf({ content }: JsonObject): string {
  const first: unknown = Array.isArray(content) ? content[0] : undefined;
  return isObject(first) && typeof first.text === 'string' ? first.text : '';
}
