import { allTools } from '../../tools/index.ts';
import type { Around } from './deps.ts';

/** Milliseconds that a read waits for writes before it; a service that hangs must not hold up everything. */
const longestWaitMs = 5000;

/**
 * For one connection: a call that reads begins when the writes that came before it have been answered, so that
 * a client that sends several calls at once finds what it has just written. Writes go on side by side, and calls
 * that wait by their nature are left alone.
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
