import { setTimeout as sleep } from 'node:timers/promises';
import { type Content, textOf } from '../model/event.ts';
import { counted } from '../model/plural.ts';
import type { Agent, AgentEvent, Turn } from './types.ts';

export interface EchoConfig {
  kind: 'echo';
  name: string;
  /** Milliseconds between two words, to see how streaming looks. */
  delayMs: number;
  /** What it says after every echo. */
  advice?: string | undefined;
}

/** Says what it is and repeats what it was told, word by word: for trying the wiring without a model. */
export function echoAgent(config: EchoConfig): Agent {
  return {
    name: config.name,
    async *run(turn: Turn, signal: AbortSignal): AsyncGenerator<AgentEvent, void> {
      const echo = `Echo agent (no model): ${heard(turn.message)}`;
      const text = config.advice === undefined ? echo : `${echo}\n\n${config.advice}`;
      for (const word of text.match(/\S+\s*/g) ?? []) {
        if (config.delayMs > 0) await sleep(config.delayMs, undefined, { signal });
        yield { partial: true, content: { role: 'model', parts: [{ text: word }] } };
      }
      yield { turnComplete: true, content: { role: 'model', parts: [{ text }] } };
    },
  };
}

function heard(message: Content): string {
  const answers = message.parts.flatMap(({ functionResponse: response }) =>
    response === undefined ? [] : [`${response.name} answered ${JSON.stringify(response.response ?? {})}`],
  );
  const others = message.parts.length - answers.length - message.parts.filter((p) => p.text).length;
  return [
    textOf({ content: message }),
    ...answers,
    ...(others > 0 ? [`[and ${counted(others, 'part')} other than text]`] : []),
  ]
    .filter((line) => line !== '')
    .join('\n');
}
