import { detectKeyv, Keyv } from 'keyv';
import { SessionError } from '../../errors.ts';

/** Texts by short names in somebody's Keyv. Every call rejects when it failed. */
export interface Slots {
  read(names: readonly string[]): Promise<(string | undefined)[]>;
  write(entries: ReadonlyMap<string, string>): Promise<void>;
  drop(names: readonly string[]): Promise<void>;
  all(): AsyncGenerator<[name: string, text: string]>;
  close(): Promise<void>;
}

/**
 * Of a slot that may have been cut off while it was written: undefined where there is none, null where there is one
 * that cannot be read.
 */
export async function readUnsure(slots: Slots, name: string): Promise<string | undefined | null> {
  try {
    return (await slots.read([name]))[0];
  } catch (error) {
    if (error instanceof SessionError && error.cause instanceof SyntaxError) return null;
    throw error;
  }
}

/** What all versions of Keyv have in common. */
interface AnyKeyv {
  get(names: string[]): Promise<unknown[]>;
  set(name: string, value: string): Promise<unknown>;
  setMany?(entries: { key: string; value: string }[]): Promise<unknown>;
  delete(names: string[]): Promise<unknown>;
  iterator?: ((argument?: unknown) => AsyncIterable<unknown>) | undefined;
  disconnect?(): Promise<unknown>;
  on?(event: string, listener: (error: unknown) => void): unknown;
  throwOnErrors?: boolean;
}

/** So many names go to the adapter at once. */
const most = 500;

/**
 * @param given a Keyv, or a storage adapter for one
 * @param namespace of the Keyv that is made for an adapter
 */
export function slotsIn(given: object, namespace: string): Slots {
  const keyv = (
    isKeyv(given) ? given : new Keyv({ store: given, namespace, throwOnErrors: true } as object)
  ) as AnyKeyv;
  if ('throwOnErrors' in keyv) keyv.throwOnErrors = true;
  let failures = 0;
  let lastFailure: unknown;
  // Keyv and its adapters report many errors by this event alone; unheard, it ends the process.
  keyv.on?.('error', (error) => {
    failures += 1;
    lastFailure = error;
  });

  /** Fails when anything failed meanwhile: rather a call too many than one that is believed wrongly. */
  async function checked<T>(work: () => Promise<T>): Promise<T> {
    const before = failures;
    try {
      const result = await work();
      if (failures > before) throw lastFailure;
      return result;
    } catch (error) {
      throw failed(error);
    }
  }

  const check = (answer: unknown) => {
    const answers = Array.isArray(answer) ? answer : [answer];
    if (answers.includes(false)) throw new Error('The adapter answers false to a write.');
  };

  return {
    async read(names) {
      const texts: (string | undefined)[] = [];
      for (const part of slices(names)) {
        const values = await checked(() => keyv.get([...part]));
        for (const i of part.keys()) texts.push(typeof values[i] === 'string' ? values[i] : undefined);
      }
      return texts;
    },
    async write(entries) {
      for (const part of slices([...entries]))
        await checked(async () => {
          const [first] = part;
          if (part.length === 1 && first !== undefined) check(await keyv.set(...first));
          else if (keyv.setMany !== undefined)
            check(await keyv.setMany(part.map(([key, value]) => ({ key, value }))));
          else check(await Promise.all(part.map(([key, value]) => keyv.set(key, value))));
        });
    },
    async drop(names) {
      for (const part of slices(names)) await checked(() => keyv.delete([...part]));
    },
    async *all() {
      const before = failures;
      try {
        for await (const entry of keyv.iterator?.(namespace) ?? []) {
          const [name, text] = Array.isArray(entry) ? (entry as unknown[]) : [];
          if (typeof name === 'string' && typeof text === 'string') yield [name, text];
        }
        if (failures > before) throw lastFailure;
      } catch (error) {
        throw failed(error);
      }
    },
    async close() {
      await checked(async () => keyv.disconnect?.());
    },
  };
}

export function isKeyv(given: object): boolean {
  return given instanceof Keyv || detectKeyv(given).compatible;
}

const failed = (cause: unknown): SessionError =>
  cause instanceof SessionError
    ? cause
    : new SessionError('UNAVAILABLE', 'The Keyv adapter of the session store reports an error.', {
        hint: 'Check that what it connects to is running and has room; the log tells more. Then try again.',
        retryAfter: 2,
        cause,
      });

function* slices<T>(list: readonly T[]): Generator<readonly T[]> {
  for (let from = 0; from < list.length; from += most) yield list.slice(from, from + most);
}
