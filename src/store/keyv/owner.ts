import { hostname } from 'node:os';
import { SessionError } from '../../errors.ts';
import { leaseHolds } from '../clocks.ts';
import { readUnsure, type Slots } from './slots.ts';

/** Who has the store open. A Keyv cannot say who wrote last, so that two would overwrite each other. */
interface Owner {
  id: string;
  host: string;
  pid: number;
  /** When it last said that it is there, by its own clock. */
  seen: number;
}

export interface Ownership {
  /** Whether the text is the one that we wrote last. */
  isOurs(text: string | undefined): boolean;
  end(): Promise<void>;
}

export const ownerSlot = 'owner';

/** Milliseconds between two signs of life, and after how many without one an owner counts as gone. */
const beat = 10_000;
const gone = 35_000;

/** Stores that this process has open, by the ids under which it does. */
const ours = new Set<string>();

/** @throws SessionError FAILED_PRECONDITION while another process, or this one, has the store open */
export async function takeOwnership(slots: Slots, id: string): Promise<Ownership> {
  const other = parse((await readUnsure(slots, ownerSlot)) ?? undefined);
  if (other !== undefined && isThere(other))
    throw new SessionError('FAILED_PRECONDITION', 'Another server has this Keyv store open.', {
      hint: `A Keyv has one writer. It is process ${other.pid} on ${JSON.stringify(other.host)}: stop it. If it was killed, wait ${Math.ceil(gone / 1000)} seconds.`,
      retryAfter: Math.ceil(gone / 1000),
    });
  const sign = () =>
    slots.write(
      new Map([
        [
          ownerSlot,
          JSON.stringify({ id, host: hostname(), pid: process.pid, seen: Date.now() } satisfies Owner),
        ],
      ]),
    );
  await sign();
  ours.add(id);
  let signing: Promise<unknown> = Promise.resolve();
  // A sign that fails is missed by nobody for three more.
  const timer = setInterval(() => {
    signing = slots
      .read([ownerSlot])
      .then(([text]) => (parse(text)?.id === id ? sign() : undefined))
      .catch(() => {});
  }, beat);
  timer.unref();
  return {
    isOurs: (text) => parse(text)?.id === id,
    async end() {
      clearInterval(timer);
      await signing;
      ours.delete(id);
      const [text] = await slots.read([ownerSlot]);
      if (parse(text)?.id === id) await slots.drop([ownerSlot]);
    },
  };
}

function isThere({ id, host, pid, seen }: Owner): boolean {
  const holds = leaseHolds(seen + gone, Date.now());
  if (host !== hostname()) return holds;
  if (pid === process.pid) return ours.has(id);
  try {
    process.kill(pid, 0);
  } catch (error) {
    // It is there, but somebody else's.
    return error instanceof Error && 'code' in error && error.code === 'EPERM' && holds;
  }
  // Another program may have the number by now.
  return holds;
}

function parse(text: string | undefined): Owner | undefined {
  try {
    const owner = JSON.parse(text ?? '') as Partial<Owner>;
    const { id, host, pid, seen } = owner;
    return id === undefined || host === undefined || pid === undefined || seen === undefined
      ? undefined
      : { id, host, pid, seen };
  } catch {
    return undefined;
  }
}
