import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { SessionError } from '../errors.ts';

export type SseMessage = Pick<EventSourceMessage, 'event' | 'data'>;

/** Characters of one message. */
const maxMessage = 32 * 1024 * 1024;

/**
 * Messages of a text/event-stream. The parser drops a last message that no blank line ends, as the standard wants
 * of a browser; here it is kept, because ADK servers end a stream by closing it, and because a cut message tells
 * the reader that the stream broke off.
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export async function* sse(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<SseMessage, void> {
  let ready: SseMessage[] = [];
  const parser = createParser({
    maxBufferSize: maxMessage,
    onEvent: ({ event, data }) => ready.push({ event, data }),
    onError(error) {
      if (error.type === 'max-buffer-size-exceeded') throw tooLong();
    },
  });
  const decoder = new TextDecoder();
  const feed = (text: string): SseMessage[] => {
    ready = [];
    parser.feed(text);
    return ready;
  };
  for await (const chunk of chunks) yield* feed(decoder.decode(chunk, { stream: true }));
  yield* feed(`${decoder.decode()}\n\n`);
}

function tooLong(): SessionError {
  return new SessionError('RESOURCE_EXHAUSTED', 'The service sent a message that is too long to read.', {
    hint: 'Ask for less at once.',
  });
}
