import * as z from 'zod';
import { invalidArgument, quote, type SessionError } from '../errors.ts';

/** How the values of a setting are written, in a flag or variable and in the file. */
export interface Kind<T> {
  /** What a value may be, as the hint of a refusal. */
  expects: string;
  /** Turns the text of a flag or variable into what the file would hold. The schema then judges it. */
  fromText(text: string): unknown;
  schema(): z.ZodType<T>;
  /** The flag stands alone: naming it switches it on. */
  bare?: boolean;
}

/**
 * One thing that the operator decides. It is declared once: flags, environment, file and `--help` are all
 * made from this.
 */
export interface Setting<T> {
  kind: Kind<NonNullable<T>>;
  /** Without the dashes. */
  flag?: string;
  short?: string;
  /** What stands for the flag's value in `--help`. */
  value?: string;
  /** The environment variable. */
  env?: string;
  /** Where it is in the file: `http.limits.calls`. */
  key?: string;
  otherwise: T;
  help: string;
  /** Never printed, and redacted from the log wherever its value turns up. */
  secret?: boolean;
  /** Checks what the kind cannot check. `where` names the flag, variable or key that was used. Throws SessionError. */
  check?(where: string, value: NonNullable<T>): unknown;
}

export type Settings = Readonly<Record<string, Setting<unknown>>>;

export type Values<S extends Settings> = { [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** Settings that stand together in `--help`, and the commands that take their flags; undefined: all. */
export interface Group<S extends Settings = Settings> {
  title: string;
  commands?: readonly string[];
  settings: S;
}

type Spec<T> = Omit<Setting<T>, 'otherwise'>;

export function setting<T>(spec: Spec<T> & { otherwise: T }): Setting<T>;
export function setting<T>(spec: Spec<T>): Setting<T | undefined>;
export function setting<T>(spec: Spec<T> & { otherwise?: T }): Setting<T | undefined> {
  return { otherwise: undefined, ...spec } as Setting<T | undefined>;
}

const sameText = (text: string): unknown => text;
const itemsOf = (text: string): unknown => text.split(',').map((item) => item.trim());
const numberOf = (text: string): unknown => (/^-?\d{1,12}(\.\d{1,6})?$/.test(text) ? Number(text) : text);

function onOffOf(text: string): unknown {
  if (/^(1|true|yes|on)$/i.test(text)) return true;
  return /^(0|false|no|off)$/i.test(text) ? false : text;
}

export const text: Kind<string> = {
  expects: 'Use a text.',
  fromText: sameText,
  schema: () => z.string(),
};

export const texts: Kind<readonly string[]> = {
  expects: 'Use texts with commas between them (a list in the file).',
  fromText: itemsOf,
  schema: () => z.array(z.string()),
};

export const onOff: Kind<boolean> = {
  expects: 'Use on or off (true or false in the file).',
  fromText: onOffOf,
  schema: () => z.boolean(),
};

export const bare: Kind<boolean> = { ...onOff, bare: true };

export const whole = (min: number, max: number): Kind<number> => ({
  expects: `Use a whole number from ${min} to ${max}.`,
  fromText: numberOf,
  schema: () => z.int().min(min).max(max),
});

export const decimal = (min: number, max: number): Kind<number> => ({
  expects: `Use a number from ${min} to ${max}.`,
  fromText: numberOf,
  schema: () => z.number().min(min).max(max),
});

export const oneOf = <T extends string>(...all: readonly T[]): Kind<T> => ({
  expects: `Use one of: ${all.join(', ')}.`,
  fromText: sameText,
  schema: () => z.enum(all),
});

export const someOf = <T extends string>(...all: readonly T[]): Kind<readonly T[]> => ({
  expects: `Use one or more of: ${all.join(', ')} (as a list in the file).`,
  fromText: itemsOf,
  schema: () => z.array(z.enum(all)),
});

/** Where settings come from; a flag comes before a variable, and that before the file. */
export interface Sources {
  /** By name; a bare flag is true. */
  flags: Readonly<Record<string, string | true>>;
  env: Readonly<Record<string, string | undefined>>;
  /** The content of the file, already checked by its schema. */
  file: unknown;
}

export const noSources: Sources = { flags: {}, env: {}, file: {} };

/** @throws SessionError INVALID_ARGUMENT that names the flag, variable or key at fault */
export function readSettings<S extends Settings>(settings: S, sources: Sources): Values<S> {
  return Object.fromEntries(
    Object.entries(settings).map(([name, one]) => [name, readSetting(one, sources)]),
  ) as Values<S>;
}

function readSetting<T>(one: Setting<T>, sources: Sources): T {
  const given = lookUp(one, sources);
  if (given === undefined) return one.otherwise;
  const parsed = one.kind.schema().safeParse(given.value);
  if (!parsed.success) {
    // Of a list, the item at fault.
    const path = parsed.error.issues[0]?.path ?? [];
    throw refused(one, given.where, memberAt(given.value, path));
  }
  one.check?.(given.where, parsed.data);
  return parsed.data;
}

function lookUp<T>(one: Setting<T>, { flags, env, file }: Sources) {
  const flag = one.flag === undefined ? undefined : flags[one.flag];
  if (flag !== undefined)
    return { where: `--${one.flag}`, value: flag === true ? true : one.kind.fromText(flag) };
  // An empty variable is how shells and containers say that there is none.
  const variable = (one.env === undefined ? undefined : env[one.env]) || undefined;
  if (variable !== undefined) return { where: `${one.env}`, value: one.kind.fromText(variable) };
  const inFile = one.key === undefined ? undefined : memberAt(file, one.key.split('.'));
  if (inFile !== undefined) return { where: `${one.key} in the file of --config`, value: inFile };
  return undefined;
}

/** The refusal of a value. A secret is not shown back. */
export function refused(
  one: Pick<Setting<unknown>, 'kind' | 'secret'>,
  where: string,
  value: unknown,
): SessionError {
  const shown =
    one.secret === true ? 'what it is' : quote(typeof value === 'string' ? value : JSON.stringify(value));
  return invalidArgument(`${where} cannot be ${shown}.`, one.kind.expects);
}

/** The member of nested objects, where there is one. */
export function memberAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let at: unknown = value;
  for (const key of path) {
    if (typeof at !== 'object' || at === null || !Object.hasOwn(at, key)) return undefined;
    at = (at as Record<PropertyKey, unknown>)[key];
  }
  return at;
}

/** Settings by the parts of their keys. */
export interface KeyTree<T> {
  [name: string]: T | KeyTree<T>;
}

/** Keys such as `http.limits.calls` as nested objects, as they stand in the file of `--config`. */
export function treeOf<T>(
  settings: readonly Setting<unknown>[],
  leafOf: (setting: Setting<unknown>) => T,
): KeyTree<T> {
  const tree: KeyTree<T> = {};
  for (const one of settings) {
    if (one.key === undefined) continue;
    const path = one.key.split('.');
    const last = path.pop() ?? '';
    let at = tree;
    for (const name of path) {
      at[name] ??= {};
      at = at[name] as KeyTree<T>;
    }
    at[last] = leafOf(one);
  }
  return tree;
}
