import { cutStart } from '../model/text.ts';

export interface TextFlow {
  push(text: string): void;
  /** Sends what is still held back. */
  flush(): void;
}

/** Longest piece that is sent at once; what is longer is in the result anyway. */
const maxPiece = 4000;

/**
 * Gathers pieces of text, so that one message goes out at most every `intervalMs`. The first goes at once:
 * whoever waits for it should not wait for us.
 */
export function textFlow(send: (text: string) => void, intervalMs = 50): TextFlow {
  let held = '';
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    if (held === '') return;
    const text = held.length > maxPiece ? `…${cutStart(held, maxPiece)}` : held;
    held = '';
    send(text);
  };
  return {
    push(text) {
      if (text === '') return;
      held += text;
      if (timer !== undefined) return;
      flush();
      timer = setTimeout(flushAgain, intervalMs);
      timer.unref();
    },
    flush,
  };

  function flushAgain(): void {
    const waiting = held !== '';
    flush();
    if (!waiting) return;
    timer = setTimeout(flushAgain, intervalMs);
    timer.unref();
  }
}
