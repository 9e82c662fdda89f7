import { cutStart, withoutHalf } from '../model/text.ts';

export interface TextFlow {
  push(text: string): void;
  /** Sends what is still held back. */
  flush(): void;
}

/** Longest piece that is sent at once. Longer text is in the result anyway. */
const maxPiece = 4000;

/**
 * Gathers pieces of text, so that one message goes out at most every `intervalMs`. The first goes at once:
 * the first words should not be delayed. Half a character waits for its other half.
 */
export function textFlow(send: (text: string) => void, intervalMs = 50): TextFlow {
  let held = '';
  let timer: NodeJS.Timeout | undefined;
  const flush = () => {
    clearTimeout(timer);
    timer = undefined;
    const whole = withoutHalf(held);
    if (whole === '') return;
    held = held.slice(whole.length);
    send((whole.length > maxPiece ? `…${cutStart(whole, maxPiece)}` : whole).toWellFormed());
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
