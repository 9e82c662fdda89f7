import { allTools } from '../../tools/index.ts';
import type { Around } from './deps.ts';

/** Milliseconds that a call waits for earlier ones, so that a service that hangs does not hold up all others. */
const longestWaitMs = 5000;

/**
 * Orders the calls of one connection, so that a client may send several at once: a call begins when earlier ones have
 * made what it may name, and a call that reads when all earlier writes have been answered. Other writes run side by
 * side. Tools that wait for something wait for no writes.
 */
export function readsAfterWrites(around: Around): Around {
  const toolOf = new Map(allTools.map((tool) => [tool.name, tool]));
  const writes = new Set<Promise<unknown>>();
  const making = new Set<Promise<unknown>>();
  return async (call, run) => {
    const tool = toolOf.get(call.tool);
    if (tool === undefined) return around(call, run);
    const reads = tool.annotations.readOnlyHint && tool.waits !== true;
    const earlier = reads ? writes : making;
    if (reads || tool.waits === true) {
      if (earlier.size > 0) await settled([...earlier]);
      return around(call, run);
    }
    // It counts as a write while it waits itself.
    const write = earlier.size > 0 ? settled([...earlier]).then(() => around(call, run)) : around(call, run);
    writes.add(write);
    if (tool.makes === true) making.add(write);
    try {
      return await write;
    } finally {
      writes.delete(write);
      making.delete(write);
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
