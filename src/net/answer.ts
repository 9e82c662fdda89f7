import { SessionError } from '../errors.ts';
import type { Answer } from './send.ts';
import type { TimeLimit } from './time-limit.ts';

/** An answer whose body is still to be read, and the clock that it is read against. */
export interface OpenAnswer {
  service: string;
  response: Answer;
  /** Aborting it closes the connection. */
  limit: TimeLimit;
  /** What an error of the connection means. */
  failure(error: unknown): SessionError;
}

/** The bytes of an answer as they come; leaving the loop early closes the connection. */
export async function* chunksOf(answer: OpenAnswer, maxBytes: number): AsyncGenerator<Uint8Array, void> {
  let whole = false;
  try {
    let bytes = 0;
    for await (const chunk of answer.response.body) {
      answer.limit.restart();
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw tooLong(answer, maxBytes);
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

/** The text of an answer. The time limit is for the whole: one that trickles in does not push it back. */
export async function readText(answer: OpenAnswer, maxBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  try {
    let bytes = 0;
    for await (const chunk of answer.response.body) {
      bytes += chunk.byteLength;
      if (bytes > maxBytes) throw tooLong(answer, maxBytes);
      chunks.push(chunk);
    }
    answer.limit.end();
  } catch (error) {
    const failure = answer.failure(error);
    answer.limit.abort();
    throw failure;
  }
  const [only] = chunks;
  const whole =
    chunks.length === 1 && only
      ? Buffer.from(only.buffer, only.byteOffset, only.byteLength)
      : Buffer.concat(chunks);
  return whole.toString('utf8');
}

const tooLong = ({ service }: OpenAnswer, maxBytes: number): SessionError =>
  new SessionError('RESOURCE_EXHAUSTED', `The answer of the ${service} has more than ${maxBytes} bytes.`, {
    hint: 'Ask for a smaller page.',
  });

/** The value of a JSON text, undefined for anything else. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
