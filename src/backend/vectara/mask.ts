import { isObject, type JsonObject } from '../../model/json.ts';

/** Replaces a hidden value. Vectara masks secrets with the same text. */
const maskedValue = '****';

/**
 * The origin of a call's arguments, from its `tool_input` event (docs/protocols/vectara.md, "Events").
 */
export interface CallOrigin {
  /** The arguments that the agent wrote: `tool_input`. */
  said: JsonObject;
  /** `argument_override_paths`: where the configuration set a value that the agent never saw. */
  overridden: readonly string[];
}

/**
 * Masks the arguments of a client tool call that the agent did not write itself. Vectara fills in secrets and sends
 * them in clear (docs/protocols/vectara.md, "Client tool calls"), so a value is shown only where the agent's own
 * call has the same value and no override covers it. Without a known origin all values are masked.
 */
export function maskArguments(args: JsonObject, origin: CallOrigin | undefined): JsonObject {
  const said = leavesOf(origin?.said ?? {});
  return mapLeaves(args, [], (keys, value) => {
    const isOwn =
      said.get(JSON.stringify(keys)) === leafText(value) && !covers(origin?.overridden ?? [], pathOf(keys));
    return isOwn ? value : maskedValue;
  }) as JsonObject;
}

/** Masks the agent's own arguments at overridden paths. Normally the agent wrote none there. */
export function maskOverridden(said: JsonObject, overridden: readonly string[]): JsonObject {
  return mapLeaves(said, [], (keys, value) =>
    covers(overridden, pathOf(keys)) ? maskedValue : value,
  ) as JsonObject;
}

/** Whether the leaf at `path` is at, below or above one of the overridden paths. */
function covers(overridden: readonly string[], path: string): boolean {
  return overridden.some(
    (over) =>
      over === path ||
      (path.startsWith(over) && /^[.[]/.test(path.slice(over.length))) ||
      (over.startsWith(path) && /^[.[]/.test(over.slice(path.length))),
  );
}

/** A path as Vectara writes it, with dots and with indices in brackets: `config.auth.token`, `items[0]`. */
const pathOf = (keys: Keys): string =>
  keys.map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? key : `.${key}`)).join('');

/** The keys that lead to a value. Two values may have one path in dot notation, but never the same keys. */
type Keys = readonly (string | number)[];

function mapLeaves(value: unknown, keys: Keys, change: (keys: Keys, leaf: unknown) => unknown): unknown {
  if (Array.isArray(value) && value.length > 0)
    return value.map((inner, i) => mapLeaves(inner, [...keys, i], change));
  if (isObject(value) && (keys.length === 0 || Object.keys(value).length > 0))
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [key, mapLeaves(inner, [...keys, key], change)]),
    );
  return change(keys, value);
}

const leafText = (value: unknown): string => JSON.stringify(value) ?? '';

function leavesOf(value: JsonObject): Map<string, string> {
  const leaves = new Map<string, string>();
  mapLeaves(value, [], (keys, leaf) => {
    leaves.set(JSON.stringify(keys), leafText(leaf));
    return leaf;
  });
  return leaves;
}
