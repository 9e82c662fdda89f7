import type { Write } from '../types.ts';
import type { Connection, Statement } from './connection.ts';
import { prefix } from './names.ts';

/** Texts that are merged at a time; a search looks at those that are not merged yet one by one. */
const batch = 256;

const merge: Statement = { name: 'asms_merge', text: `select ${prefix}merge($1)` };

/** Moves new texts into the index in the background, when there are some hundred of them or the sweep comes by. */
export function mergeTexts(connection: Connection) {
  let waiting = 0;
  let running: Promise<void> | undefined;
  let stopped = false;

  async function mergeAll(): Promise<void> {
    waiting = 0;
    try {
      for (let merged = batch; merged >= batch && !stopped; ) {
        const [[count] = []] = await connection.run(merge, [batch]);
        merged = Number(count);
      }
    } catch {
      // Searches find fresh texts as they are; the next round merges them.
    }
    running = undefined;
  }

  function start(): Promise<void> {
    running ??= mergeAll();
    return running;
  }

  return {
    written(writes: readonly Write[]): void {
      for (const write of writes) if ('key' in write && write.text !== undefined) waiting += 1;
      if (waiting >= batch) void start();
    },
    now: start,
    async stop(): Promise<void> {
      stopped = true;
      await running;
    },
  };
}
