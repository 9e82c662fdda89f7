import * as z from 'zod';
import { invalidArgument, quote, type SessionError } from '../errors.ts';
import { agentsFileSchema } from './agents.ts';
import { didYouMean } from './nearest.ts';
import { type Group, type KeyTree, memberAt, refused, type Setting, treeOf } from './setting.ts';

/** Reads the file of `--config` and checks all of it. @throws SessionError INVALID_ARGUMENT */
export function readConfigFile(readFile: () => string, groups: readonly Group[]): unknown {
  const content = parsedFile(readFile);
  const [fault] = fileFaults(content, groups);
  if (fault !== undefined) throw fault;
  return content;
}

/** The content of the file, unchecked. @throws SessionError INVALID_ARGUMENT when it cannot be read or is no JSON */
export const parsedFile = (readFile: () => string): unknown => parsed(contentOf(readFile));

/** All that is wrong with the content of the file. */
export function fileFaults(content: unknown, groups: readonly Group[]): SessionError[] {
  const settings = groups.flatMap((group) => Object.values(group.settings));
  const { error } = fileSchema(settings).safeParse(content);
  return (error?.issues ?? [])
    .flatMap(intoUnion)
    .flatMap((issue) =>
      issue.code === 'unrecognized_keys'
        ? issue.keys.map((key) => unknownKey([...issue.path, key], settings))
        : [wrongValue(content, issue, settings)],
    );
}

/** The faults of a value that fits neither of two forms: those of the form that it comes nearest to. */
function intoUnion(issue: z.core.$ZodIssue): z.core.$ZodIssue[] {
  if (issue.code !== 'invalid_union' || issue.errors.length === 0) return [issue];
  const [nearest = []] = issue.errors.toSorted((a, b) => depthOf(b) - depthOf(a));
  return nearest.map((one) => ({ ...one, path: [...issue.path, ...one.path] }));
}

const depthOf = (issues: readonly z.core.$ZodIssue[]): number =>
  Math.max(0, ...issues.map((issue) => issue.path.length + (issue.code === 'unrecognized_keys' ? 1 : 0)));

// The cause of a wrong path or a typing error would add nothing for people but a stack.
function contentOf(readFile: () => string): string {
  try {
    return readFile();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown';
    throw code === 'ENOENT'
      ? invalidArgument('There is no file at the path of --config.', 'Check the path.')
      : invalidArgument(`The file of --config cannot be read (${code}).`, 'Check its path and permissions.');
  }
}

function parsed(text: string): unknown {
  try {
    // Some editors write a byte order mark.
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch (error) {
    const [, line, column] = /line (\d+) column (\d+)/.exec(String(error)) ?? [];
    throw invalidArgument(
      'The file of --config is not JSON.',
      line === undefined ? 'Check its content.' : `Check line ${line}, column ${column}.`,
    );
  }
}

/** The file's keys as objects that take no other member. */
function fileSchema(settings: readonly Setting<unknown>[]): z.ZodType {
  const tree = treeOf<z.ZodType>(settings, (one) => one.kind.schema());
  return objectOf({ ...tree, agents: agentsFileSchema() });
}

function objectOf(tree: KeyTree<z.ZodType>): z.ZodType {
  const shape = Object.entries(tree).map(([name, part]) => [
    name,
    (part instanceof z.ZodType ? part : objectOf(part)).optional(),
  ]);
  return z.strictObject(Object.fromEntries(shape) as Record<string, z.ZodType>);
}

function unknownKey(path: readonly PropertyKey[], settings: readonly Setting<unknown>[]): SessionError {
  const place = path.map(String).join('.');
  const keys = [...settings.flatMap(({ key }) => key ?? []), 'agents'];
  const parent = place.split('.').slice(0, -1).join('.');
  const levels = [
    ...new Set(keys.flatMap((key) => key.split('.').map((_, i, all) => all.slice(0, i + 1).join('.')))),
  ];
  const siblings = levels.filter((key) => key.split('.').slice(0, -1).join('.') === parent);
  // A key in the wrong object is as common as a mistyped one.
  const last = String(path.at(-1));
  const moved = keys.filter((key) => key.split('.').at(-1) === last);
  const hint =
    moved.length === 0
      ? didYouMean(place, siblings, quote)
      : `Did you mean ${moved.map(quote).join(' or ')}? `;
  return invalidArgument(
    `The file of --config has an unknown key ${quote(place)}.`,
    `${hint}Valid keys: ${siblings.map((key) => key.split('.').at(-1)).join(', ') || 'none'}.`,
  );
}

function wrongValue(
  content: unknown,
  issue: z.core.$ZodIssue,
  settings: readonly Setting<unknown>[],
): SessionError {
  const path = issue.path.map(String);
  const place = path.join('.');
  // A list is refused as a whole where one of its items is wrong.
  const one = settings.find(({ key }) => key !== undefined && (place === key || place.startsWith(`${key}.`)));
  if (one !== undefined)
    return refused(one, `${one.key} in the file of --config`, memberAt(content, issue.path));
  return invalidArgument(`The file of --config is wrong at ${quote(place || 'its top')}.`, issue.message);
}
