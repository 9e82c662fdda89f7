import { invalidArgument } from '../errors.ts';

/** A line of a file, without its end. */
export interface NumberedLine {
  number: number;
  text: string;
}

/** Longest line in bytes. It has room for the largest artifact that a backend accepts, as base64 in JSON. */
const maxLineBytes = 32 * 1024 * 1024;

/** The error for a line. `reason` completes "Line 3 …", for example "is not JSON". */
export const badLine = (number: number, reason: string, hint = 'Export the session again.') =>
  invalidArgument(`Line ${number} ${reason}.`, hint);

/**
 * Yields the lines of a byte stream, which end with LF or CRLF; empty ones are skipped.
 * @throws SessionError INVALID_ARGUMENT for a line that is too long or not UTF-8
 */
export async function* numberedLines(
  chunks: AsyncIterable<Uint8Array>,
  maxBytes = maxLineBytes,
): AsyncGenerator<NumberedLine, void> {
  let number = 1;
  // Pieces are joined once per line, so that a long line in many small chunks costs no more than its length.
  let pieces: Uint8Array[] = [];
  let length = 0;
  const take = (piece: Uint8Array) => {
    length += piece.byteLength;
    if (length > maxBytes)
      throw badLine(
        number,
        `has more than ${maxBytes} bytes`,
        'Lines of an export are shorter: check that the input is an export.',
      );
    pieces.push(piece);
  };
  const finish = (): NumberedLine | undefined => {
    const text = decode(pieces, number).replace(/\r$/, '');
    const line = text.trim() === '' ? undefined : { number, text };
    pieces = [];
    length = 0;
    number += 1;
    return line;
  };
  for await (const chunk of chunks) {
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      take(chunk.subarray(start, end));
      const line = finish();
      if (line !== undefined) yield line;
      start = end + 1;
    }
    if (start < chunk.byteLength) take(chunk.subarray(start));
  }
  const last = length > 0 ? finish() : undefined;
  if (last !== undefined) yield last;
}

function decode(pieces: readonly Uint8Array[], number: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: number > 1 }).decode(Buffer.concat(pieces));
  } catch {
    throw badLine(number, 'is not UTF-8');
  }
}
