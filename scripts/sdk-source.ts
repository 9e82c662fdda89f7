import { readFileSync } from 'node:fs';
import type { Plugin } from 'esbuild';

type Change = (source: string) => string;

/** Changes what the SDK publishes, where that costs each start or each call of this server. */
export const sdkSource: Plugin = {
  name: 'sdk-source',
  setup(build) {
    const due = new Set<Change>();
    const done = new Set<Change>();
    const change = (name: string, changes: readonly Change[]) =>
      build.onLoad(
        { filter: new RegExp(`@modelcontextprotocol/${name}/dist/[\\w-]+\\.mjs$`) },
        ({ path: file }) => {
          let contents = readFileSync(file, 'utf8');
          for (const one of changes) {
            const before = contents;
            contents = one(before);
            due.add(one);
            if (contents !== before) done.add(one);
          }
          return { contents };
        },
      );
    change('core', [markSchemas]);
    change('server', [emptyTables, ...askByKeys]);
    build.onEnd(() => ({
      errors: [...due]
        .filter((one) => !done.has(one))
        .map(({ name }) => ({ text: `The SDK has another form now: see whether ${name} is still needed.` })),
    }));
  },
};

/**
 * Lets esbuild leave out the schemas that nothing here uses: to make them is a tenth of a start. It keeps every call,
 * because a call might have an effect; a call that is marked as pure it does not keep.
 */
function markSchemas(source: string): string {
  return source
    .split(/^(?=[^\s})\]])/m)
    .map((statement) =>
      statement.replace(/^const (\w+Schema) = (.*);(\s*)$/s, 'const $1 = /* @__PURE__ */ (() => $2)();$3'),
    )
    .join('');
}

/** The tables that hold all schemas for the SDK's users, `specTypeSchemas` and `isSpecType`, stay empty. */
const emptyTables = (source: string): string => source.replace(/^for \(const .* register\(.*\);$/gm, '');

/**
 * Asks a message for its kind by its keys first, and by a parse only when it may be of that kind: every kind of JSON-RPC
 * has keys that it requires, and no other has. The SDK asks ten times a call, and parsed the message each time, most often
 * to hear no: an eighth of the processor time of a call. A parse that fails also costs later: zod answers it with an object
 * literal that has an accessor, and what such an accessor refers to, here the message, outlives all small collections.
 */
const askByKeys = Object.entries({
  Request: `'method' in value && 'id' in value`,
  Notification: `'method' in value && !('id' in value)`,
  ResultResponse: `'result' in value`,
  ErrorResponse: `'error' in value`,
}).map(([kind, has]): Change => {
  const guard = new RegExp(
    `^(const isJSONRPC${kind} = \\(value\\) => )(\\w+\\.safeParse\\(value\\)\\.success;)$`,
    'm',
  );
  const change: Change = (source) =>
    source.replace(guard, `$1typeof value === 'object' && value !== null && ${has} && $2`);
  return Object.defineProperty(change, 'name', { value: `askByKeys of ${kind}` });
});
