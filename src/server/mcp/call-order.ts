import { allTools } from '../../tools/index.ts';
import type { Around } from './deps.ts';

/** Milliseconds that a read waits for earlier writes, so that a service that hangs does not hold up all reads. */
const longestWaitMs = 5000;

/**
 * Orders the calls of one connection: a call that reads begins when all earlier writes have been answered, so that a
 * client that sends several calls at once reads what it has just written. Writes run side by side. Tools that wait for
 * something are not delayed.
 */
export function readsAfterWrites(around: Around): Around {
  const toolOf = new Map(allTools.map((tool) => [tool.name, tool]));
  const writes = new Set<Promise<unknown>>();
  return async (call, run) => {
    const tool = toolOf.get(call.tool);
    if (tool === undefined || tool.waits === true) return around(call, run);
    if (tool.annotations.readOnlyHint) {
      if (writes.size > 0) await settled([...writes]);
      return around(call, run);
    }
    const write = around(call, run);
    writes.add(write);
    try {
      return await write;
    } finally {
      writes.delete(write);
    }
  };
}

async function settled(writes: readonly Promise<unknown>[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const longest = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, longestWaitMs);
  });
  await Promise.race([Promise.allSettled(writes), longest]);
  clearTimeout(timer);
}
