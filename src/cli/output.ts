import type { Writable } from 'node:stream';
import { SessionError } from '../errors.ts';
import type { Io } from './io.ts';

interface Output {
  /** Resolves when more can be taken. */
  write(text: string): Promise<void>;
  /** Aborted when its reader has gone. */
  closed: AbortSignal;
}

/** Does work that writes to stdout as fast as its reader reads, and ends quietly when the reader has enough. */
export async function withOutput(io: Io, work: (output: Output) => Promise<void>): Promise<void> {
  const output = outputOf(io.stdout);
  await work(output).catch((error: unknown) => {
    // Whoever reads has enough, as `| head` has.
    if (!output.closed.aborted) throw error;
  });
}

function outputOf(stdout: Writable): Output {
  const closed = new AbortController();
  const seen = (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') closed.abort();
  };
  // Without a listener the error ends the process with a stack; `write` hears of it too.
  stdout.on('error', seen);
  return {
    closed: closed.signal,
    write: (text) =>
      new Promise((resolve, reject) => {
        stdout.write(text, (error) => {
          if (!error) return resolve();
          seen(error);
          reject(
            new SessionError('UNAVAILABLE', 'The output cannot be written.', {
              hint: 'Check that there is room for it; what was written so far is incomplete.',
              cause: error,
            }),
          );
        });
      }),
  };
}
