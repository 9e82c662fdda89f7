// A deterministic agent without a model that takes part in turns. It thinks first, and what it thinks is no answer.
// "slowly" in a message makes it work for two seconds.
import { setTimeout as sleep } from 'node:timers/promises';
import { BaseAgent, createEvent } from '@google/adk';

class Researcher extends BaseAgent {
  constructor() {
    super({ name: 'researcher', description: 'Looks things up' });
  }

  async *runAsyncImpl(context) {
    const text = (context.userContent?.parts ?? []).map((part) => part.text ?? '').join(' ');
    if (text.includes('slowly')) await sleep(2000);
    yield createEvent({
      invocationId: context.invocationId,
      author: this.name,
      branch: context.branch,
      content: {
        role: 'model',
        parts: [{ text: 'I wonder.', thought: true }, { text: `Found: ${text}` }],
      },
    });
  }

  // biome-ignore lint/correctness/useYield: the base class demands a generator
  async *runLiveImpl() {
    throw new Error('not a live agent');
  }
}

export const rootAgent = new Researcher();
