import { isObject, type JsonObject } from '../../model/json.ts';

/** What stands in the place of a hidden value; Vectara's own sign for one. */
const maskedValue = '****';

/**
 * What is known about the origin of a call's arguments: its `tool_input` event (docs/protocols/vectara.md,
 * "Events").
 */
export interface CallOrigin {
  /** What the agent itself said: `tool_input`. */
  said: JsonObject;
  /** `argument_override_paths`: where the configuration put a value that the agent never saw. */
  overridden: readonly string[];
}

/**
 * Arguments of a client tool call without the values that the agent did not write itself. Vectara resolves secrets
 * into them and hands them out in clear (docs/protocols/vectara.md, "Client tool calls"), so a value is shown only
 * where the agent's own call has the very same one and no override covers it; without a known origin, none is.
 */
export function maskArguments(args: JsonObject, origin: CallOrigin | undefined): JsonObject {
  const said = leavesOf(origin?.said ?? {});
  return mapLeaves(args, [], (keys, value) => {
    const isOwn =
      said.get(JSON.stringify(keys)) === leafText(value) && !covers(origin?.overridden ?? [], pathOf(keys));
    return isOwn ? value : maskedValue;
  }) as JsonObject;
}

/** What the agent said, without values at overridden paths: normally there are none. */
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

/** Dot notation with indices in brackets, as Vectara writes paths: `config.auth.token`, `items[0]`. */
const pathOf = (keys: Keys): string =>
  keys.map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? key : `.${key}`)).join('');

/** The way to a value. Unlike its path it is of one value alone, whatever signs the keys hold. */
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
