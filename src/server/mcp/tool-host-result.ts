import { cutText, fitTo } from '../../model/budget.ts';
import { isObject, type JsonObject } from '../../model/json.ts';

/** Characters of a result that a model gets. */
const resultLength = 16_000;
const leftOut = 'left out';

/** What a tool of an MCP server answered. */
interface Answered {
  isError?: boolean | undefined;
  structuredContent?: unknown;
  content?: unknown;
}

/** The result of a tool for a model: as structured data where the tool gives that, else as text; never nothing. */
export function toolResult({ isError, structuredContent, content }: Answered): JsonObject {
  const parts = (Array.isArray(content) ? content : []).flatMap((part: unknown) => wordsOf(part));
  const text = cutText(parts.join('\n'), resultLength, leftOut);
  if (isError === true) return { error: text === '' ? 'The tool failed without a word.' : text };
  if (!isObject(structuredContent)) return { result: text === '' ? 'The tool answered nothing.' : text };
  const { value } = fitTo(structuredContent, resultLength, leftOut);
  return JSON.stringify(value).length <= 2 * resultLength ? value : { result: text };
}

/** A model gets text alone: what else there is, is named. */
function wordsOf(part: unknown): string[] {
  if (!isObject(part)) return [];
  if (typeof part.text === 'string') return [part.text];
  const resource = isObject(part.resource) ? part.resource : part;
  if (typeof resource.text === 'string') return [resource.text];
  const kind = [part.type, resource.mimeType, resource.uri].filter((word) => typeof word === 'string');
  return kind.length === 0 ? [] : [`[${kind.join(' ')}]`];
}

/** Why a call has no result, in words for the model, and whether the tool's server said so. */
export async function toolError(
  error: unknown,
  signal: AbortSignal,
): Promise<{ words: string; isFromServer: boolean }> {
  if (signal.aborted) return { words: 'The tool did not answer in time.', isFromServer: false };
  const { ProtocolError } = await import('@modelcontextprotocol/client');
  return error instanceof ProtocolError
    ? { words: cutText(error.message, resultLength, leftOut), isFromServer: true }
    : { words: 'The tool could not be called.', isFromServer: false };
}
