import type { StreamResponse } from '@a2a-js/sdk';
import type { Backend } from '../../backend/types.ts';
import { waitAtMost } from '../../run/wait.ts';
import { artifactOf, eventsOfTask, type FoundTask, findTask, isWorking, statusOf } from './tasks.ts';

/** Longest time between two looks at a session whose changes no watch announced. */
const lookMs = 15_000;

/** What happens to a task after an event, until it ends or asks for input, the signal is aborted, or the session is gone. */
export async function* followTask(
  backend: Backend,
  task: FoundTask,
  after: string,
  signal: AbortSignal,
): AsyncGenerator<StreamResponse, void> {
  const about = { taskId: task.id, contextId: task.ref.sessionId, metadata: undefined };
  let last = after;
  let wake: () => void = () => {};
  const unwatch = backend.sessions?.watch?.(task.ref, () => wake());
  try {
    for (;;) {
      const changed = new Promise<void>((resolve) => {
        wake = resolve;
      });
      // How it stands is looked at first: what it ended with is in the session then.
      const now = await findTask(backend, task.ref, task.id);
      if (now === undefined || signal.aborted) return;
      for (const event of await eventsOfTask(backend, now, last)) {
        last = event.id;
        const artifact = artifactOf(event);
        if (artifact === undefined) continue;
        const value = { ...about, artifact, append: false, lastChunk: true };
        yield { payload: { $case: 'artifactUpdate', value } };
      }
      if (!isWorking(now)) {
        yield { payload: { $case: 'statusUpdate', value: { ...about, status: statusOf(now) } } };
        return;
      }
      await waitAtMost(changed, lookMs, signal);
      if (signal.aborted) return;
    }
  } finally {
    unwatch?.();
  }
}
