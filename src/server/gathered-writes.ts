import type { Writable } from 'node:stream';

export interface GatheredWrites {
  /** Resolves when the stream takes more; rejects when it is broken. */
  write(text: string): Promise<void>;
  /** Hands on at once what is waiting. */
  flush(): void;
  /** Resolves when the reader has taken all, or for so many milliseconds nothing of it. */
  taken(patienceMs: number): Promise<void>;
}

const pollMs = 10;

/**
 * Texts for a stream, in order. Those of one turn of the event loop go out in one write: every write is a call of
 * the operating system and wakes the reader, which costs more than making a short answer.
 */
export function gatheredWrites(stream: Writable): GatheredWrites {
  let waiting: string[] = [];
  let taken: PromiseWithResolvers<void> | undefined;

  function flush(): void {
    if (taken === undefined) return;
    const { resolve, reject } = taken;
    const text = waiting.length === 1 ? (waiting[0] ?? '') : waiting.join('');
    waiting = [];
    taken = undefined;
    const done = (error?: Error | null) => {
      stream.off('error', done);
      stream.off('drain', done);
      if (error) reject(error);
      else resolve();
    };
    stream.once('error', done);
    if (stream.write(text)) done();
    else stream.once('drain', done);
  }

  return {
    write(text) {
      waiting.push(text);
      if (taken === undefined) {
        taken = Promise.withResolvers();
        // Runs when all that was ready to run has run.
        process.nextTick(flush);
      }
      return taken.promise;
    },
    flush,
    async taken(patienceMs) {
      flush();
      let left = stream.writableLength;
      for (let since = Date.now(); left > 0 && Date.now() - since < patienceMs; ) {
        await new Promise((resolve) => setTimeout(resolve, pollMs));
        if (stream.writableLength < left) since = Date.now();
        left = stream.destroyed ? 0 : stream.writableLength;
      }
    },
  };
}
