import fc from 'fast-check';
import { expect, it } from 'vitest';
import { maskArguments, maskOverridden } from '../../../src/backend/vectara/mask.ts';
import type { JsonObject } from '../../../src/model/json.ts';

const canary = 'CANARY-secret-1';

/** Random objects whose values are never equal to the secret. */
const said = fc.object({
  maxDepth: 3,
  values: [fc.integer(), fc.boolean(), fc.constant(null), fc.constant('said')],
});

it('no value that the agent did not write is shown, whatever the override paths say', () => {
  fc.assert(
    fc.property(said, fc.array(fc.string()), fc.array(fc.string()), (agent, way, overridden) => {
      const args = structuredClone(agent) as JsonObject;
      let at = args;
      for (const key of way) {
        // Own keys only: a path through `__proto__` must not change the prototype of all objects.
        const next = Object.hasOwn(at, key) ? at[key] : undefined;
        const inner: JsonObject =
          typeof next === 'object' && next !== null && !Array.isArray(next) ? (next as JsonObject) : {};
        Object.defineProperty(at, key, {
          value: inner,
          enumerable: true,
          configurable: true,
          writable: true,
        });
        at = inner;
      }
      Object.defineProperty(at, 'token', { value: [{ deep: canary }, canary], enumerable: true });
      const origin = { said: agent as JsonObject, overridden };
      expect(JSON.stringify(args)).toContain(canary);
      expect(JSON.stringify(maskArguments(args, origin))).not.toContain(canary);
      expect(JSON.stringify(maskArguments(args, undefined))).not.toContain(canary);
    }),
  );
});

it('what the agent wrote is shown as it is, when nothing was put over it', () => {
  fc.assert(
    fc.property(said, (agent) => {
      const args = agent as JsonObject;
      expect(maskArguments(args, { said: args, overridden: [] })).toEqual(args);
      expect(maskOverridden(args, [])).toEqual(args);
    }),
  );
});

it.each([
  ['token', { token: 's', tokens: 't' }, { token: '****', tokens: 't' }],
  ['a.b', { a: { b: { c: 's' }, bb: 't' } }, { a: { b: { c: '****' }, bb: 't' } }],
  ['a.b.c', { a: { b: 's' } }, { a: { b: '****' } }],
  ['list[1]', { list: ['t', 's', 't'] }, { list: ['t', '****', 't'] }],
  ['list[1].key', { list: ['t', { key: 's', id: 't' }] }, { list: ['t', { key: '****', id: 't' }] }],
  ['list', { list: ['s', ['s']] }, { list: ['****', ['****']] }],
  ['a', { a: {}, b: [] }, { a: '****', b: [] }],
] as [string, JsonObject, JsonObject][])(
  'the path %s covers what is at and below it',
  (path, args, wanted) => {
    expect(maskOverridden(args, [path])).toEqual(wanted);
    // Even where the agent wrote the same value.
    expect(maskArguments(args, { said: args, overridden: [path] })).toEqual(wanted);
  },
);

it('an empty key is a key like any other', () => {
  for (const args of [
    { '5': false, '': { '5': 0 } },
    { '': { '': false }, '.': null },
    { 'a.b': 1, a: { b: 2 } },
  ])
    expect(maskArguments(args, { said: args, overridden: [] })).toEqual(args);
});
