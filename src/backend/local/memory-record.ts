import type { Memory } from '../../model/memory.ts';
import { parseStored } from './damage.ts';

/** A memory for work that can continue without it; undefined when it is damaged. */
export function tryMemory(value: string): Memory | undefined {
  try {
    const memory = parseStored<Memory>('A memory', value);
    return typeof memory.fact === 'string' ? memory : undefined;
  } catch {
    return undefined;
  }
}
