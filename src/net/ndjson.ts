import { SessionError } from '../errors.ts';
import { lines } from './lines.ts';

/**
 * JSON values of a stream that has one per line, with or without `data:` before it
 * (docs/protocols/agent-engine.md, "Running an engine").
 * @throws SessionError UNAVAILABLE on a line that is not JSON: the stream was cut or is none of ours
 */
export async function* ndjson(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void> {
  for await (const line of lines(chunks)) {
    const text = line.replace(/^data: ?/, '').trim();
    if (text === '' || text.startsWith(':')) continue;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch (cause) {
      throw new SessionError('UNAVAILABLE', 'The stream broke off, or holds a line that is not JSON.', {
        hint: 'Read with list_events what arrived before you send the message again.',
        cause,
      });
    }
    yield value;
  }
}
