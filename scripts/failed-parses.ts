import { readFileSync } from 'node:fs';
import type { Plugin } from 'esbuild';

/** What zod makes of a parse that failed, as its source says it; esbuild passes comments on unchanged. */
const theirs = /function failure\(Err, issues, ctx\) \{.*?\n\}\n/s;

const ours = `class Failure {
  success = false;
  #make;
  #error;
  constructor(make) { this.#make = make; }
  get error() { return (this.#error ??= this.#make()); }
  set error(error) { this.#error = error; }
}
function failure(Err, issues, ctx) {
  return new Failure(() => new Err(issues.map((issue) => util.finalizeIssue(issue, ctx, core.config()))));
}
`;

/**
 * Lets go of what a failed parse looked at. zod answers with an object literal that has an accessor, and V8 keeps all
 * that the accessor closes over, here the whole message, until its next full collection. The SDK asks of every message
 * what kind it is by parses most of which fail: in a busy server a collection took ten milliseconds instead of less than
 * one, and a call an eighth more of processor time. An accessor of a class has no such cost.
 */
export const failedParses: Plugin = {
  name: 'failed-parses',
  setup(build) {
    build.onLoad({ filter: /[\\/]zod[\\/]v4[\\/]core[\\/]parse\.js$/ }, ({ path: file }) => {
      const source = readFileSync(file, 'utf8');
      if (!theirs.test(source))
        throw new Error(
          'zod makes its failures in another way now: see whether scripts/failed-parses.ts is still needed.',
        );
      return { contents: source.replace(theirs, ours) };
    });
  },
};
