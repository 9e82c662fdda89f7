import { lines } from './lines.ts';

export interface SseMessage {
  event?: string | undefined;
  data: string;
}

/** Messages of a text/event-stream; comments and messages without data are passed over. A cut last one is kept. */
export async function* sse(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<SseMessage, void> {
  let event: string | undefined;
  let data: string[] = [];
  for await (const line of lines(chunks)) {
    if (line === '') {
      if (data.length > 0) yield { event, data: data.join('\n') };
      event = undefined;
      data = [];
      continue;
    }
    const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/s.exec(line) ?? [];
    if (field === 'data') data.push(value);
    if (field === 'event') event = value;
  }
  if (data.length > 0) yield { event, data: data.join('\n') };
}
