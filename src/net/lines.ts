import { SessionError } from '../errors.ts';

/**
 * Lines of a byte stream, without their ends (LF or CRLF); the last may lack its own. UTF-8 may be cut anywhere.
 */
export async function* lines(
  chunks: AsyncIterable<Uint8Array>,
  maxLine = 32 * 1024 * 1024,
): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  // Pieces are joined once per line: a long line that trickles in costs no more than its length.
  let pieces: string[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    const parts = decoder.decode(chunk, { stream: true }).split('\n');
    for (const [i, part] of parts.entries()) {
      pieces.push(part);
      length += part.length;
      if (length > maxLine)
        throw new SessionError('RESOURCE_EXHAUSTED', 'The service sent a line that is too long to read.', {
          hint: 'Ask for less at once.',
        });
      if (i < parts.length - 1) {
        yield trimEnd(pieces.join(''));
        pieces = [];
        length = 0;
      }
    }
  }
  pieces.push(decoder.decode());
  const last = pieces.join('');
  if (last !== '') yield trimEnd(last);
}

function trimEnd(line: string): string {
  return line.endsWith('\r') ? line.slice(0, -1) : line;
}
