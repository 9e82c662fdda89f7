import { SessionError } from '../../errors.ts';
import { type Ownership, ownerSlot } from './owner.ts';
import { damaged, decodeIntent, type Intent } from './record.ts';
import { readUnsure, type Slots } from './slots.ts';

/**
 * Makes a commit one write: the whole change is written down first, in one text, and is done once that is kept.
 * Then the change is made, again and again until it is, and only then comes the next commit. The texts are kept
 * in two slots in turn, so that one that is cut off by a crash does not take the last whole one with it.
 */
export interface Journal {
  /**
   * Resolves when the change can no longer be lost; `publish` is called then, before a slot is touched. Values of
   * the puts are read from memory until they are in their slots.
   */
  write(puts: ReadonlyMap<string, string>, drops: readonly string[], publish: () => void): Promise<void>;
  /** Resolves when the last change is made; rejects at the deadline (of `performance.now()`). */
  settled(deadline: number): Promise<void>;
  /** Of a put that may not be in its slot yet. */
  pending(slot: string): string | undefined;
  close(): Promise<void>;
}

export const intentSlots = ['intent0', 'intent1'] as const;

/**
 * @param last the intent of the last commit, whose change may be half made
 * @param unread resolves when nobody reads these slots any more, so that none is dropped under a reader's hands
 */
export async function openJournal(
  slots: Slots,
  ownership: Ownership,
  last: Intent | undefined,
  unread: (dropped: readonly string[]) => Promise<void>,
): Promise<Journal> {
  let number = last?.number ?? 0;
  let pending: ReadonlyMap<string, string> = new Map();
  let making: Promise<void> = Promise.resolve();
  let failure: unknown;
  let closing = false;
  if (last !== undefined) await make(new Map(last.puts), last.drops);

  async function make(puts: ReadonlyMap<string, string>, drops: readonly string[]): Promise<void> {
    if (puts.size > 0) {
      await slots.write(puts);
      const kept = await slots.read([...puts.keys()]);
      const written = [...puts.values()];
      if (!kept.every((text, i) => text === written[i])) throw notKept();
    }
    await unread(drops);
    if (drops.length > 0) await slots.drop(drops);
  }

  async function makeUntilDone(puts: ReadonlyMap<string, string>, drops: readonly string[]): Promise<void> {
    for (let pause = 50; ; pause = Math.min(2000, pause * 2)) {
      try {
        await make(puts, drops);
        pending = new Map();
        failure = undefined;
        return;
      } catch (error) {
        failure = error;
        // The next opening finds the intent.
        if (closing) return;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  return {
    async write(puts, drops, publish) {
      number += 1;
      const slot = intentSlots[number % 2] ?? intentSlots[0];
      const intent = JSON.stringify({ number, puts: [...puts], drops } satisfies Intent);
      await slots.write(new Map([[slot, intent]]));
      const [kept, owner] = await slots.read([slot, ownerSlot]);
      if (kept !== intent) throw notKept();
      if (!ownership.isOurs(owner))
        throw new SessionError('FAILED_PRECONDITION', 'Another server has taken over this Keyv store.', {
          hint: 'A Keyv has one writer: stop one of the two, and start this one again.',
        });
      pending = puts;
      publish();
      making = makeUntilDone(puts, drops);
    },
    async settled(deadline) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(failure ?? notKept()), Math.max(0, deadline - performance.now()));
      });
      await Promise.race([making, late]).finally(() => clearTimeout(timer));
    },
    pending: (slot) => pending.get(slot),
    async close() {
      closing = true;
      await making;
      // What was deleted must not stay in the words of the commit before.
      if (failure === undefined) await slots.drop(intentSlots);
    },
  };
}

/** Of the two that are kept, the later one that is whole. One that is not was never acknowledged. */
export async function lastIntent(slots: Slots): Promise<Intent | undefined> {
  let last: Intent | undefined;
  for (const slot of intentSlots) {
    const text = await readUnsure(slots, slot);
    const intent = decodeIntent(text ?? undefined);
    if (intent === undefined && text !== undefined) await slots.drop([slot]);
    if (intent !== undefined && intent.number > (last?.number ?? -1)) last = intent;
  }
  return last;
}

const notKept = (): SessionError =>
  new SessionError('UNAVAILABLE', 'The Keyv adapter of the session store does not keep what it is given.', {
    hint: 'It must keep every entry until it is deleted: switch off its limits of size and time, or choose another.',
    cause: damaged(),
  });
