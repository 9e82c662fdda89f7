import { readFileSync } from 'node:fs';
import { createRequire, findPackageJSON } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { SessionError } from '../../errors.ts';
import type { KeyvAddress } from './address.ts';
import { isKeyv } from './slots.ts';

/**
 * Loads the adapter of a store: a package, from where the server is started or from beside it, or a module of the
 * user's that exports a Keyv, an adapter, or a function that makes one.
 * @throws SessionError FAILED_PRECONDITION when there is none
 */
export async function loadKeyv(address: KeyvAddress): Promise<object> {
  const make = await findKeyv(address);
  const made: unknown = await attempt(make);
  if (isObject(made) && isStore(made)) return made;
  throw noKeyv();
}

/** The same, but makes none: the function that is returned does. */
export async function findKeyv({ module, isPath, options }: KeyvAddress): Promise<() => unknown> {
  const exported = isPath ? await importPath(module) : await importPackage(module);
  const { default: usual, ...named } = exported;
  const inner = isObject(usual) && 'default' in usual ? usual.default : undefined;
  const candidates = [
    inner,
    usual,
    ...(isObject(usual) ? Object.values(usual) : []),
    ...Object.values(named),
  ];
  for (const candidate of candidates) {
    if (isObject(candidate) && isStore(candidate)) return () => candidate;
    if (isClass(candidate)) return () => new candidate(options);
  }
  const [make] = candidates.filter(isFunction);
  if (make === undefined) throw noKeyv();
  return () => make(options);
}

const noKeyv = (): SessionError =>
  new SessionError('FAILED_PRECONDITION', 'The module of the store exports no Keyv and no adapter for one.', {
    hint: 'Its default export must be a Keyv, a storage adapter for one, or a function that makes either.',
  });

type Exports = Record<string, unknown>;

/** Absolute paths: to import them no package has to be found. */
async function importPath(file: string): Promise<Exports> {
  return attempt(() => import(pathToFileURL(file).href) as Promise<Exports>);
}

async function importPackage(name: string): Promise<Exports> {
  const file = inWorkingDirectory(name);
  if (file !== undefined) return importPath(file);
  try {
    return (await import(name)) as Exports;
  } catch (cause) {
    const missing = cause instanceof Error && 'code' in cause && cause.code === 'ERR_MODULE_NOT_FOUND';
    if (!missing) throw broken(cause);
    throw new SessionError(
      'FAILED_PRECONDITION',
      `This store needs the package "${name}", which is not installed.`,
      {
        hint: `Run npm install ${name} in the folder in which the server starts.`,
        cause,
      },
    );
  }
}

/** The package's file, as programs in the working directory find it. */
function inWorkingDirectory(name: string): string | undefined {
  const from = path.join(process.cwd(), 'package.json');
  try {
    return createRequire(from).resolve(name);
  } catch {
    // A package for `import` alone has no file for `require`.
  }
  try {
    const found = findPackageJSON(name, pathToFileURL(from));
    if (found === undefined) return undefined;
    const { exports } = JSON.parse(readFileSync(found, 'utf8')) as { exports?: unknown };
    const main = importCondition(isObject(exports) && '.' in exports ? exports['.'] : exports);
    return main === undefined ? undefined : path.join(path.dirname(found), main);
  } catch {
    return undefined;
  }
}

function importCondition(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports;
  if (!isObject(exports)) return undefined;
  const { node, import: imported, default: usual } = exports as Exports;
  return importCondition(node) ?? importCondition(imported) ?? importCondition(usual);
}

async function attempt<T>(work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw broken(cause);
  }
}

const broken = (cause: unknown): SessionError =>
  cause instanceof SessionError
    ? cause
    : new SessionError('FAILED_PRECONDITION', 'The Keyv adapter of the store could not be made.', {
        hint: 'Check the package and the options after "?" in --store; the log tells the cause.',
        cause,
      });

const isObject = (value: unknown): value is object => typeof value === 'object' && value !== null;
const isFunction = (value: unknown): value is (options: unknown) => unknown => typeof value === 'function';
const isStore = (value: object): boolean =>
  isKeyv(value) || ['get', 'set', 'delete'].every((name) => typeof Reflect.get(value, name) === 'function');

function isClass(value: unknown): value is new (options: unknown) => object {
  const prototype: unknown = typeof value === 'function' ? value.prototype : undefined;
  return isObject(prototype) && isStore(prototype);
}
