import { isObject, type JsonObject } from '../../model/json.ts';

/** What stands in the place of a hidden value; Vectara's own sign for one. */
const maskedValue = '****';

/** What is known of how the arguments of a call came about: its `tool_input` event (vectara-api.md §3.7). */
export interface CallOrigin {
  /** What the agent itself said: `tool_input`. */
  said: JsonObject;
  /** `argument_override_paths`: where the configuration put a value that the agent never saw. */
  overridden: readonly string[];
}

/**
 * Arguments of a client tool call without the values that the agent did not write itself. Vectara resolves
 * secrets into them and hands them out in clear (vectara-api.md §3.9), so a value is shown only where the
 * agent's own call has the very same one and no override covers it; without a known origin, none is.
 */
export function maskArguments(args: JsonObject, origin: CallOrigin | undefined): JsonObject {
  const said = leavesOf(origin?.said ?? {});
  return mapLeaves(args, undefined, (path, value) => {
    const isOwn = said.get(path) === leafText(value) && !covers(origin?.overridden ?? [], path);
    return isOwn ? value : maskedValue;
  }) as JsonObject;
}

/** What the agent said, without values at overridden paths: normally there are none. */
export function maskOverridden(said: JsonObject, overridden: readonly string[]): JsonObject {
  return mapLeaves(said, undefined, (path, value) =>
    covers(overridden, path) ? maskedValue : value,
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
function mapLeaves(
  value: unknown,
  path: string | undefined,
  change: (path: string, leaf: unknown) => unknown,
): unknown {
  if (Array.isArray(value) && value.length > 0)
    return value.map((inner, i) => mapLeaves(inner, `${path ?? ''}[${i}]`, change));
  if (isObject(value) && (path === undefined || Object.keys(value).length > 0))
    return Object.fromEntries(
      Object.entries(value).map(([key, inner]) => [
        key,
        mapLeaves(inner, path === undefined ? key : `${path}.${key}`, change),
      ]),
    );
  return change(path ?? '', value);
}

const leafText = (value: unknown): string => JSON.stringify(value) ?? '';

function leavesOf(value: JsonObject): Map<string, string> {
  const leaves = new Map<string, string>();
  mapLeaves(value, undefined, (path, leaf) => {
    leaves.set(path, leafText(leaf));
    return leaf;
  });
  return leaves;
}
