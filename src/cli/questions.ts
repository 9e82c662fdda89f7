import { createInterface } from 'node:readline';
import { SessionError } from '../errors.ts';
import type { Io } from './io.ts';

/** Asks a person: questions go to stderr, answers come from stdin, one a line. */
export function openQuestions(io: Pick<Io, 'stdin' | 'report'>) {
  const input = createInterface({ input: io.stdin });
  const lines = input[Symbol.asyncIterator]();
  return {
    /** Asks until the answer is one that `read` takes; an empty line is the usual answer. */
    async ask<T>(question: string, usual: string, read: (text: string) => T): Promise<T> {
      for (;;) {
        io.report(`${question} [${usual}]: `);
        const { done, value } = await lines.next();
        if (done === true) throw noAnswer();
        try {
          return read(value.trim() || usual);
        } catch (error) {
          if (!(error instanceof SessionError)) throw error;
          io.report(`${error.message} ${error.hint ?? ''}\n`);
        }
      }
    },
    close: () => input.close(),
  };
}

const noAnswer = (): SessionError =>
  new SessionError('CANCELLED', 'The answers ended before the questions; nothing was written.', {
    hint: 'Answer every question, or take the usual answers with --yes.',
  });
