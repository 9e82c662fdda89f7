import { readdirSync } from 'node:fs';
import path from 'node:path';
import type { Plugin } from 'esbuild';

const root = path.join(import.meta.dirname, '..');

/** What every command loads, and what servers and some commands load. */
const commands = [
  ...['src/cli/run.ts', 'src/store/sqlite/index.ts'],
  ...readdirSync(path.join(root, 'src/model')).map((file) => `src/model/${file}`),
  ...['src/backend/shared/session-key.ts', 'src/net/trace.ts', 'src/server/mcp/decode.ts'],
  'src/transfer/replay.ts',
];

/** What a server on stdio loads before its first answer. */
const servers = ['src/server/stdio.ts', 'src/server/mcp/skills.ts'];

/** The entries that are loaded where no server is. */
const withoutServer = /^src\/(?!server\/|cli\/(open|init)\.ts)/;

/**
 * Puts what nearly every process loads into a few files. esbuild makes a file of each set of modules that the same
 * entries load, and every dynamic import is an entry: a server would load sixty files before its first answer, and Node.js
 * needs about a third of a millisecond for each. Modules that all entries load end up in one file, so each entry gets an
 * import of them.
 */
export const sharedStartup: Plugin = {
  name: 'shared-startup',
  setup(build) {
    build.onResolve({ filter: /./ }, async ({ kind, path: name, ...from }) => {
      if (kind !== 'dynamic-import') return undefined;
      const found = await build.resolve(name, { ...from, kind: 'import-statement' });
      const isBundled = found.errors.length === 0 && !found.external && found.namespace === 'file';
      return isBundled ? { path: found.path, namespace: 'entry' } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: 'entry' }, ({ path: file }) => {
      const name = path.relative(root, file).replaceAll(path.sep, '/');
      const shared = withoutServer.test(name) ? commands : [...commands, ...servers];
      const lines = [
        ...shared.map((other) => `import ${JSON.stringify(path.join(root, other))};`),
        `export * from ${JSON.stringify(file)};`,
      ];
      return { contents: lines.join('\n'), resolveDir: root };
    });
  },
};

/**
 * Leaves out the validator of JSON Schemas that the SDK has for Node.js: half of its size, and loaded with it. The SDK
 * uses it for `elicitInput`, which this server does not call; what users answer is checked by `settleConfirmation`.
 */
export const withoutValidator: Plugin = {
  name: 'without-validator',
  setup(build) {
    build.onResolve({ filter: /^@modelcontextprotocol\/server\/_shims$/ }, () => ({
      path: 'shims',
      namespace: 'without-validator',
    }));
    build.onLoad({ filter: /.*/, namespace: 'without-validator' }, () => ({
      contents: `export { default as process } from 'node:process';
        export class DefaultJsonSchemaValidator {
          getValidator() { throw new Error('The validator of JSON Schemas is not in this bundle.'); }
        }`,
    }));
  },
};

/** Node.js's own modules that a server needs after its start, if ever: their functions load them. */
const loadedLate = ['node:crypto', 'node:fs/promises', 'node:timers/promises', 'node:zlib'];

/**
 * Takes from Node.js's own modules only what is used, and some of them only when it is. An import of `node:util` reads
 * everything that it exports, and so loads what it would load when asked for, such as worker threads; together they are
 * several milliseconds of every start.
 */
export const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ kind, path: name, importer }) =>
      // main.ts also runs on a Node.js that cannot do this, to say so.
      kind === 'import-statement' && !importer.endsWith(path.join('src', 'main.ts'))
        ? { path: name, namespace: 'builtin' }
        : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: 'builtin' }, ({ path: name }) => {
      const exported = Object.entries(process.getBuiltinModule(name) ?? {}).filter(([key]) =>
        /^[a-zA-Z]\w*$/.test(key),
      );
      const isLazy = (key: string, value: unknown) =>
        loadedLate.includes(name) && typeof value === 'function' && /^[a-z]/.test(key);
      const lines = [
        `const builtin = () => process.getBuiltinModule(${JSON.stringify(name)});`,
        'const of = (name) => builtin()[name];',
        'export default /* @__PURE__ */ builtin();',
        // The marks let esbuild leave out what nobody uses.
        ...exported.map(([key, value]) =>
          isLazy(key, value)
            ? `export const ${key} = (...args) => builtin().${key}(...args);`
            : `export const ${key} = /* @__PURE__ */ of(${JSON.stringify(key)});`,
        ),
      ];
      return { contents: lines.join('\n') };
    });
  },
};
