import { SessionError } from '../errors.ts';
import type { TimeLimit } from './time-limit.ts';

/** An answer whose body is still to be read, and the clock that it is read against. */
export interface OpenAnswer {
  service: string;
  response: Response;
  /** Aborting it closes the connection. */
  limit: TimeLimit;
  /** What an error of the connection means. */
  failure(error: unknown): SessionError;
}

/** The bytes of an answer as they come; leaving the loop early closes the connection. */
export async function* chunksOf(
  answer: OpenAnswer,
  maxBytes: number,
  onChunk: () => void = answer.limit.restart,
): AsyncGenerator<Uint8Array, void> {
  let whole = false;
  try {
    let bytes = 0;
    for await (const chunk of answer.response.body ?? []) {
      onChunk();
      bytes += chunk.byteLength;
      if (bytes > maxBytes)
        throw new SessionError(
          'RESOURCE_EXHAUSTED',
          `The answer of the ${answer.service} has more than ${maxBytes} bytes.`,
          { hint: 'Ask for a smaller page.' },
        );
      yield chunk;
    }
    whole = true;
  } catch (error) {
    throw answer.failure(error);
  } finally {
    // Closing costs as much as half a request: only for what is still coming.
    if (whole) answer.limit.end();
    else answer.limit.abort();
  }
}

export async function readText(answer: OpenAnswer, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  // The time limit is for the whole answer: one that trickles in does not push it back.
  for await (const chunk of chunksOf(answer, maxBytes, () => {})) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** The value of a JSON text, undefined for anything else. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
