import type { Readable, Writable } from 'node:stream';
import {
  type JSONRPCMessage,
  parseJSONRPCMessage,
  serializeMessage,
  type Transport,
} from '@modelcontextprotocol/server';
import { gatheredWrites } from './gathered-writes.ts';
import { decodeMessage, idOf, invalidRequest, type WireFault } from './mcp/decode.ts';

/** Bytes that are kept of each end of a too long message, to find its id there. */
const endBytes = 4096;
/** Milliseconds that a reader of stdout may pause after stdin has ended. */
const readerMs = 30_000;

export interface Streams {
  stdin: Readable;
  stdout: Writable;
}

/**
 * A transport for messages as lines of JSON over two streams. It replaces the SDK's transport, whose cost grows with
 * the square of a message's length and which ends at a message that is too long. Here each byte is read once. A line
 * that is not a message, or that is longer than `maxBytes`, gets an error, and the next message is served.
 * @param answered resolves when the connection may be closed although its input has ended: whoever pipes requests in
 * still reads the answers
 */
export function openLineTransport(
  { stdin, stdout }: Streams,
  maxBytes: number,
  answered: () => Promise<void> = async () => {},
): Transport {
  let closed = false;
  const out = gatheredWrites(stdout);
  const transport: Transport = {
    async start() {
      stdin.on('data', onData);
      stdin.on('error', onError);
      stdin.on('end', onEnd);
      stdin.on('close', close);
      stdout.on('error', onStdoutError);
      if (stdin.readableEnded || stdin.destroyed) setImmediate(close);
    },
    send: (message) => write(serializeMessage(message)),
    close: async () => close(),
  };
  const lines = lineReader(maxBytes, onLine, (ends) =>
    refuse(idIn(ends), {
      code: invalidRequest,
      message: `Invalid Request: a message has at most ${maxBytes} bytes`,
    }),
  );

  function onData(chunk: Buffer): void {
    lines.read(chunk);
  }

  function onEnd(): void {
    stdin.off('close', close);
    lines.end();
    void answered()
      .then(() => out.taken(readerMs))
      .finally(close);
  }

  function onLine(line: Buffer): void {
    if (closed || isBlank(line)) return;
    const decoded = decodeMessage(line);
    if ('fault' in decoded) {
      refuse(decoded.id, decoded.fault);
      return;
    }
    let message: JSONRPCMessage;
    try {
      message = parseJSONRPCMessage(decoded.value);
    } catch {
      refuse(idOf(decoded.value), {
        code: invalidRequest,
        message: 'Invalid Request: the message is not JSON-RPC',
      });
      return;
    }
    transport.onmessage?.(message);
  }

  function refuse(id: string | number | null, error: WireFault): void {
    write(`${JSON.stringify({ jsonrpc: '2.0', id, error })}\n`).catch(() => {});
    onError(new Error(error.message));
  }

  function onError(error: Error): void {
    transport.onerror?.(error);
  }

  function onStdoutError(error: Error): void {
    if (closed) return;
    onError(error);
    close();
  }

  function close(): void {
    if (closed) return;
    closed = true;
    out.flush();
    stdin.off('data', onData);
    stdin.off('error', onError);
    stdin.off('end', onEnd);
    stdin.off('close', close);
    // The error listener of stdout stays: answers that are still being sent may fail, which must not end the process.
    if (stdin.listenerCount('data') === 0) stdin.pause();
    transport.onclose?.();
  }

  function write(text: string): Promise<void> {
    return closed ? Promise.reject(new Error('The connection is closed.')) : out.write(text);
  }

  return transport;
}

/** The first and the last bytes of a line that was too long to keep. */
interface Ends {
  head: Buffer;
  tail: Buffer;
}

/** Takes chunks and calls back with whole lines, or with the ends of too long ones. The last needs no line break. */
function lineReader(maxBytes: number, onLine: (line: Buffer) => void, onTooLong: (ends: Ends) => void) {
  let pieces: Buffer[] = [];
  let bytes = 0;
  let skipped: Ends | undefined;

  function take(piece: Buffer): void {
    if (piece.length === 0) return;
    bytes += piece.length;
    if (skipped !== undefined) skipped.tail = tailOf([skipped.tail, piece]);
    else if (bytes <= maxBytes) pieces.push(piece);
    else {
      pieces.push(piece);
      // A copy, since a part of a buffer keeps the whole.
      skipped = { head: Buffer.concat(pieces, Math.min(endBytes, bytes)), tail: tailOf(pieces.slice(-2)) };
      pieces = [];
    }
  }

  function endLine(): void {
    const [line, ends] = [pieces, skipped];
    pieces = [];
    bytes = 0;
    skipped = undefined;
    if (ends !== undefined) onTooLong(ends);
    else onLine(line.length === 1 && line[0] ? line[0] : Buffer.concat(line));
  }

  return {
    read(chunk: Buffer): void {
      let from = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, from)) {
        take(chunk.subarray(from, at));
        from = at + 1;
        endLine();
      }
      take(chunk.subarray(from));
    },
    end: endLine,
  };
}

const tailOf = (pieces: readonly Buffer[]): Buffer => Buffer.from(Buffer.concat(pieces).subarray(-endBytes));

const isBlank = (line: Buffer) => line.length < 100 && line.toString('latin1').trim() === '';

const scalar = '("(?:[^"\\\\]|\\\\.)*"|-?\\d+)';
const leadingId = new RegExp(
  `^\\s*\\{(?:\\s*"(?:jsonrpc|method)"\\s*:\\s*"[^"\\\\]*"\\s*,)*\\s*"id"\\s*:\\s*${scalar}\\s*,`,
);
const closingId = new RegExp(
  `[,{]\\s*"id"\\s*:\\s*${scalar}\\s*(?:,\\s*"(?:jsonrpc|method)"\\s*:\\s*"[^"\\\\]*"\\s*)*\\}\\s*$`,
);

/**
 * Finds the id of a message of which only the ends are known. Clients write the id before the parameters, or as one
 * of the last members; a single brace after it then shows that the id is the message's own and not a nested one.
 */
function idIn({ head, tail }: Ends): string | number | null {
  const found = leadingId.exec(head.toString('latin1'))?.[1] ?? closingId.exec(tail.toString('latin1'))?.[1];
  try {
    return found === undefined
      ? null
      : idOf({ id: JSON.parse(Buffer.from(found, 'latin1').toString('utf8')) });
  } catch {
    return null;
  }
}
