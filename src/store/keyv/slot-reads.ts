import type { Slots } from './slots.ts';

/** Reads of slots that may be about to be dropped. */
export interface SlotReads {
  /** Texts by slot. What `pending` knows is not asked of the adapter. */
  read(
    wanted: readonly string[],
    pending: (slot: string) => string | undefined,
  ): Promise<ReadonlyMap<string, string>>;
  /** Resolves when nobody who began before reads one of these slots. */
  unread(dropped: readonly string[]): Promise<void>;
}

/** Characters of the values that were read or written last and are kept in memory. */
const room = 4_000_000;

export function slotReads(slots: Slots): SlotReads {
  const underWay = new Set<Promise<unknown>>();
  /** Slots never change, so that a text once read stays right. The oldest go first. */
  const recent = new Map<string, string>();
  let size = 0;

  function remember(slot: string, text: string): void {
    if (recent.has(slot) || text.length > room / 100) return;
    recent.set(slot, text);
    size += text.length;
    for (const [old, its] of recent) {
      if (size <= room) return;
      recent.delete(old);
      size -= its.length;
    }
  }

  async function read(
    wanted: readonly string[],
    pending: (slot: string) => string | undefined,
  ): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const slot of wanted) {
      const text = recent.get(slot) ?? pending(slot);
      if (text !== undefined) found.set(slot, text);
    }
    const missing = wanted.filter((slot) => !found.has(slot));
    const texts = missing.length === 0 ? [] : await slots.read(missing);
    for (const [i, slot] of missing.entries()) {
      const text = texts[i];
      if (text !== undefined) found.set(slot, text);
    }
    for (const [slot, text] of found) remember(slot, text);
    return found;
  }

  return {
    read(wanted, pending) {
      const reading = read(wanted, pending);
      const settled = reading.catch(() => {});
      underWay.add(settled);
      void settled.then(() => underWay.delete(settled));
      return reading;
    },
    async unread(dropped) {
      await Promise.all(underWay);
      for (const slot of dropped) {
        size -= recent.get(slot)?.length ?? 0;
        recent.delete(slot);
      }
    },
  };
}
