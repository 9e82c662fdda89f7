// Two agents without a model that count side by side, piece by piece.
import { setTimeout as sleep } from 'node:timers/promises';
import { BaseAgent, createEvent, ParallelAgent, StreamingMode } from '@google/adk';

class Counter extends BaseAgent {
  async *runAsyncImpl(context) {
    const say = (text, partial) =>
      createEvent({
        invocationId: context.invocationId,
        author: this.name,
        branch: context.branch,
        content: { role: 'model', parts: [{ text }] },
        partial,
      });
    const words = ['one ', 'two ', 'three ', 'four '];
    for (const word of words) {
      await sleep(100);
      if (context.runConfig?.streamingMode === StreamingMode.SSE) yield say(word, true);
    }
    yield say(words.join(''), false);
  }

  // biome-ignore lint/correctness/useYield: the base class demands a generator
  async *runLiveImpl() {
    throw new Error('not a live agent');
  }
}

export const rootAgent = new ParallelAgent({
  name: 'pair',
  subAgents: ['left', 'right'].map((name) => new Counter({ name, description: 'Counts' })),
});
