import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SessionError } from '../../src/errors.ts';
import { copyStore } from '../../src/store/copy.ts';
import { openSqlite } from '../../src/store/sqlite/index.ts';
import type { Entry, Range, Store, Write } from '../../src/store/types.ts';
import { indexTerms, tagTerm } from '../../src/store/words.ts';

/** An empty store with the given clock. */
export interface Subject {
  store: Store;
  /** Another connection to the same data, if the engine allows several. */
  other?: Store | undefined;
  /** Closes what is open and deletes the data. */
  dispose: () => Promise<void>;
}

const memoryStore = (now: () => number) => openSqlite({ path: ':memory:', durability: 'normal', now });

/**
 * The contract of every engine. `shared`: whether several connections see the same data; every subject then has an
 * `other`.
 */
export function storeContract(
  name: string,
  shared: boolean,
  open: (now: () => number) => Promise<Subject>,
): void {
  describe(name, () => {
    let subject: Subject;
    let store: Store;
    let clock: number;

    beforeEach(async () => {
      clock = 1_000_000;
      subject = await open(() => clock);
      store = subject.store;
    });
    afterEach(() => subject.dispose());

    const write = (...writes: Write[]) => store.update([], () => ({ result: undefined, writes }));
    const put = (entries: Record<string, string>) =>
      write(...Object.entries(entries).map(([key, value]) => ({ key, value })));
    const keysOf = async (range: Partial<Range>) =>
      (await store.range({ prefix: '', limit: 1000, ...range })).map((entry: Entry) => entry.key);
    const increment = (key: string, on: Store = store) =>
      on.update([key], ([value]) => {
        const next = Number(value ?? 0) + 1;
        return { result: next, writes: [{ key, value: String(next) }] };
      });

    test.each([
      ['get', () => store.get(['a'])],
      ['range', () => store.range({ prefix: '', limit: 1 })],
      ['entries', () => store.entries(undefined, 1)],
      ['search', () => store.search({ scope: 's', text: 'word', limit: 1 })],
    ])('whoever calls %s in a loop keeps nobody else waiting', async (_name, call) => {
      let others = false;
      setImmediate(() => {
        others = true;
      });
      const end = performance.now() + 2000;
      while (!others && performance.now() < end) await call();
      expect(others).toBe(true);
    });

    describe('get', () => {
      test('answers in the order of the keys, undefined where there is none', async () => {
        await put({ a: '1', b: '2' });
        expect(await store.get(['b', 'nope', 'a', 'b'])).toEqual(['2', undefined, '1', '2']);
        expect(await store.get([])).toEqual([]);
        expect(await store.get(['nope'])).toEqual([undefined]);
      });

      test.each([
        ['an empty value', 'k', ''],
        ['an empty key', '', 'v'],
        ['any script', 'ключ/鍵/🔑', 'значение 値 🎁 \u{10ffff}'],
        ['control characters', 'a\u0001b\n', 'x\u007fy\r\n\u0001'],
        ['quotes and wildcards', `'"%_*?[]`, `'; drop table kv; --`],
        ['a value of five million characters', 'big', 'ä'.repeat(5_000_000)],
      ])('keeps %s', async (_, key, value) => {
        await put({ [key]: value, [`${key}2`]: 'neighbour' });
        const [kept] = await store.get([key]);
        expect(kept === value).toBe(true);
        expect(await keysOf({})).toEqual([key, `${key}2`]);
      });
    });

    describe('range', () => {
      test('gives keys in order, with their values', async () => {
        await put({ 'a/2': 'two', 'a/1': 'one', b: 'no', 'a/3': 'three' });
        expect(await store.range({ prefix: 'a/', limit: 2 })).toEqual([
          { key: 'a/1', value: 'one' },
          { key: 'a/2', value: 'two' },
        ]);
        expect(await keysOf({ prefix: 'a/', reverse: true })).toEqual(['a/3', 'a/2', 'a/1']);
        expect(await keysOf({ prefix: 'a/', after: 'a/1' })).toEqual(['a/2', 'a/3']);
        expect(await keysOf({ prefix: 'a/', before: 'a/3' })).toEqual(['a/1', 'a/2']);
        expect(await keysOf({ prefix: 'a/', after: 'a/1', before: 'a/3', reverse: true })).toEqual(['a/2']);
        expect(await keysOf({ prefix: 'a/', after: 'a/3' })).toEqual([]);
        expect(await keysOf({ prefix: 'zz' })).toEqual([]);
      });

      test('sees nothing beyond the prefix, wherever after and before point', async () => {
        await put({ a: '', 'b/1': '', c: '' });
        expect(await keysOf({ prefix: 'b/', after: 'a', before: 'd' })).toEqual(['b/1']);
        expect(await keysOf({ prefix: 'b/', after: 'c' })).toEqual([]);
        expect(await keysOf({ prefix: 'b/', before: 'a' })).toEqual([]);
      });

      // Where the order of UTF-16 units and that of UTF-8 bytes differ, and where a prefix has no successor.
      const edges = [
        '',
        '\u0001',
        'a',
        'b',
        '%',
        '_',
        '\u007f',
        'é',
        '\ud7ff',
        '\ue000',
        '\uffff',
        '😀',
        '\u{10ffff}',
      ];
      const key = fc.array(fc.constantFrom(...edges), { maxLength: 3 }).map((parts) => parts.join(''));
      const bytes = (text: string) => Buffer.from(text);
      const inOrder = (keys: string[]) => [...new Set(keys)].sort((a, b) => bytes(a).compare(bytes(b)));

      test('agrees with a sorted list of UTF-8 texts', async () => {
        const range = fc.record(
          { prefix: key, after: key, before: key, limit: fc.nat(20), reverse: fc.boolean() },
          { requiredKeys: ['prefix', 'limit'] },
        );
        await fc.assert(
          fc.asyncProperty(fc.array(key, { maxLength: 30 }), range, async (keys, asked) => {
            await write({ dropPrefix: '' }, ...keys.map((k) => ({ key: k, value: k })));
            const { prefix, after, before, limit, reverse } = asked;
            const expected = inOrder(keys).filter(
              (k) =>
                bytes(k).subarray(0, bytes(prefix).length).equals(bytes(prefix)) &&
                (after === undefined || bytes(k).compare(bytes(after)) > 0) &&
                (before === undefined || bytes(k).compare(bytes(before)) < 0),
            );
            if (reverse) expected.reverse();
            expect((await store.range(asked)).map((e) => e.key)).toEqual(expected.slice(0, limit));
          }),
          { numRuns: 150 },
        );
      });

      test('dropPrefix drops exactly what begins with the prefix', async () => {
        await fc.assert(
          fc.asyncProperty(fc.array(key, { maxLength: 30 }), key, async (keys, dropPrefix) => {
            await write({ dropPrefix: '' }, ...keys.map((k) => ({ key: k, value: k })));
            await write({ dropPrefix });
            expect(await keysOf({})).toEqual(inOrder(keys).filter((k) => !k.startsWith(dropPrefix)));
          }),
          { numRuns: 150 },
        );
      });
    });

    describe('entries', () => {
      test('gives all that is kept of each entry, in the order of the keys', async () => {
        await write(
          { key: '😀', value: 'last' },
          { key: '\uffff', value: '', expires: clock + 10 },
          { key: '', value: 'first' },
          { key: 'gone', value: '', expires: clock + 1 },
          { key: 'text', value: 'v', text: { scope: 's "1"', body: 'Green tea, 緑茶', tags: ['t:1'] } },
          { key: 'wordless', value: 'v', text: { scope: 's', body: '!?' } },
        );
        clock += 1;
        const all = await store.entries(undefined, 100);
        expect(all.map(({ key, value, expires }) => [key, value, expires])).toEqual([
          ['', 'first', undefined],
          ['text', 'v', undefined],
          ['wordless', 'v', undefined],
          ['\uffff', '', clock + 9],
          ['😀', 'last', undefined],
        ]);
        const terms = [...indexTerms('Green tea, 緑茶'), tagTerm('t:1')];
        expect(all.map((entry) => entry.text)).toEqual([
          undefined,
          { scope: 's "1"', terms, words: terms.length - 1 },
          { scope: 's', terms: [], words: 0 },
          undefined,
          undefined,
        ]);
        expect(await store.entries('text', 2)).toEqual(all.slice(2, 4));
        expect(await store.entries('tex', 1)).toEqual(all.slice(1, 2));
        expect(await store.entries('😀', 5)).toEqual([]);
      });

      test('a copy of them is found by the same words, and copied again it is the same', async () => {
        await write(
          { key: 'a', value: '1', text: { scope: 's', body: 'running on green tea', tags: ['t:1'] } },
          { key: 'b', value: '2', text: { scope: 's', body: 'tea' } },
        );
        const before = await store.entries(undefined, 100);
        const found = await store.search({ scope: 's', text: 'green tea', limit: 9 });
        await write({ dropPrefix: '' });
        await write(...before);
        expect(await store.entries(undefined, 100)).toEqual(before);
        expect(await store.search({ scope: 's', text: 'green tea', limit: 9 })).toEqual(found);
        const tagged = { scope: 's', text: 'tea', limit: 9, tags: [['t:1']] };
        expect((await store.search(tagged)).map((hit) => hit.key)).toEqual(['a']);
      });
    });

    describe('texts', () => {
      const body = 'green tea';
      const written = ['m', 'z', 'a', 'k', 'b'];
      const fill = async (on: Store) => {
        for (const key of written)
          await on.update([], () => ({
            result: 0,
            writes: [
              { key, value: key, text: { scope: 's', body } },
              { key: `${key}/plain`, value: '' },
            ],
          }));
      };
      const found = async (on: Store) =>
        (await on.search({ scope: 's', text: body, limit: 9 })).map(({ key }) => key);

      test('gives entries with a text in the order in which they were written, a slice at a time', async () => {
        await fill(store);
        await write({ key: 'gone', value: '', text: { scope: 's', body }, expires: clock });
        const all = await store.texts(0, 100);
        expect(all.map(({ key }) => key)).toEqual(written);
        expect(all[0]).toMatchObject({ value: 'm', text: { scope: 's', words: 2 } });
        const slices: string[] = [];
        for (let place = 0; ; ) {
          const slice = await store.texts(place, 2);
          slices.push(slice.map(({ key }) => key).join(''));
          place = slice.at(-1)?.place ?? 0;
          if (slice.length < 2) break;
        }
        expect(slices).toEqual(['mz', 'ak', 'b']);
        expect(await store.texts(0, 0)).toEqual([]);
      });

      test('what fits a search alike is found in the same order in a copy, to and from', async () => {
        const [source, target] = [await memoryStore(() => clock), await memoryStore(() => clock)];
        await fill(source);
        await copyStore(source, store, () => {});
        expect(await found(source)).toEqual(written.toReversed());
        expect(await found(store)).toEqual(await found(source));
        await copyStore(store, target, () => {});
        expect(await found(target)).toEqual(await found(source));
        await Promise.all([source.close(), target.close()]);
      });
    });

    describe('update', () => {
      test('decides on the values read and answers with the result', async () => {
        await put({ a: '1' });
        const result = await store.update(['a', 'b'], (values) => ({
          result: values,
          writes: [{ key: 'b', value: `after ${values[0]}` }],
        }));
        expect(result).toEqual(['1', undefined]);
        expect(await store.get(['a', 'b'])).toEqual(['1', 'after 1']);
      });

      test('applies the writes in their order', async () => {
        await put({ 'p/0': 'old' });
        await write(
          { key: 'p/1', value: 'dropped with the prefix' },
          { dropPrefix: 'p/' },
          { key: 'p/2', value: 'stays' },
          { key: 'q', value: 'dropped' },
          { drop: 'q' },
          { drop: 'r' },
          { key: 'r', value: 'first' },
          { key: 'r', value: 'second' },
          { drop: 'never there' },
        );
        expect(await store.range({ prefix: '', limit: 10 })).toEqual([
          { key: 'p/2', value: 'stays' },
          { key: 'r', value: 'second' },
        ]);
      });

      test('writes nothing when the decision throws, and rejects with what it threw', async () => {
        const thrown = new Error('no');
        const update = store.update(['a'], () => {
          throw thrown;
        });
        await expect(update).rejects.toBe(thrown);
        expect(await keysOf({})).toEqual([]);
      });

      test('loses none of many updates at once, and gives each its own outcome', async () => {
        const odd = new Error('odd');
        const outcomes = await Promise.allSettled(
          Array.from({ length: 200 }, (_, i) =>
            i % 2 === 0
              ? increment('n')
              : store.update(['n'], () => {
                  throw odd;
                }),
          ),
        );
        const fulfilled = outcomes.flatMap((o) => (o.status === 'fulfilled' ? [Number(o.value)] : []));
        const rejected = outcomes.flatMap((o) => (o.status === 'rejected' ? [o.reason] : []));
        expect(fulfilled.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
        expect(rejected).toEqual(Array.from({ length: 100 }, () => odd));
        expect(await store.get(['n'])).toEqual(['100']);
      });

      test('sees what updates before it in the same breath wrote and dropped', async () => {
        const seen = (keys: string[]) => store.update(keys, (result) => ({ result, writes: [] }));
        const answers = await Promise.all([
          put({ 'x/1': 'a', 'x/2': 'b', y: 'c' }),
          seen(['x/1', 'y']),
          write({ dropPrefix: 'x/' }, { key: 'x/2', value: 'new' }),
          seen(['x/1', 'x/2', 'y']),
          write({ drop: 'y' }, { key: 'z', value: 'expired', expires: clock }),
          seen(['y', 'z']),
        ]);
        expect([answers[1], answers[3], answers[5]]).toEqual([
          ['a', 'c'],
          [undefined, 'new', 'c'],
          [undefined, undefined],
        ]);
        expect(await keysOf({})).toEqual(['x/2']);
      });
    });

    describe('expiry', () => {
      test('an entry is there until its time and gone from it on', async () => {
        await write(
          { key: 'e', value: 'v', expires: clock + 1000, text: { scope: 's', body: 'fleeting' } },
          { key: 'f', value: 'v' },
        );
        clock += 999;
        expect(await store.get(['e'])).toEqual(['v']);
        expect(await keysOf({})).toEqual(['e', 'f']);
        expect(await store.search({ scope: 's', text: 'fleeting', limit: 10 })).toHaveLength(1);
        clock += 1;
        expect(await store.get(['e'])).toEqual([undefined]);
        expect(await store.get(['e', 'f'])).toEqual([undefined, 'v']);
        expect(await keysOf({ limit: 1 })).toEqual(['f']);
        expect(await store.search({ scope: 's', text: 'fleeting', limit: 10 })).toEqual([]);
        expect(await store.update(['e'], ([result]) => ({ result, writes: [] }))).toBeUndefined();
      });

      test('a put decides anew when the entry expires', async () => {
        await write({ key: 'e', value: 'v', expires: clock + 10 });
        await write({ key: 'e', value: 'w' });
        clock += 1000;
        expect(await store.get(['e'])).toEqual(['w']);
        await write({ key: 'e', value: 'x', expires: clock + 10 });
        clock += 10;
        await increment('e');
        expect(await store.get(['e'])).toEqual(['1']);
      });

      test('sweep deletes what has expired, a slice at a time, and nothing else', async () => {
        const text = { scope: 's', body: 'word' };
        await write(
          ...Array.from({ length: 1200 }, (_, i) => ({
            key: `e/${i}`,
            value: '',
            expires: clock + 10,
            text,
          })),
          { key: 'later', value: '', expires: clock + 11, text },
          { key: 'never', value: '', text },
        );
        expect(await store.sweep()).toBe(false);
        clock += 10;
        let slices = 1;
        let breathed = false;
        setImmediate(() => {
          breathed = true;
        });
        while (await store.sweep()) slices++;
        expect(slices).toBeGreaterThan(1);
        expect(breathed).toBe(true);
        clock -= 10;
        expect(await keysOf({})).toEqual(['later', 'never']);
        expect(await store.search({ scope: 's', text: 'word', limit: 10 })).toHaveLength(2);
      });
    });

    describe('search', () => {
      const index = (scope: string, facts: Record<string, string>) =>
        write(...Object.entries(facts).map(([key, body]) => ({ key, value: body, text: { scope, body } })));
      const found = async (query: string, scope = 's', limit = 10) =>
        (await store.search({ scope, text: query, limit })).map((hit) => hit.key);

      test.each([
        ['English, another form of the word', 'The user likes running', 'run', 'run/1'],
        ['accents that the query lacks', 'Café crème à Orléans', 'creme orleans', ''],
        ['accents that only the query has', 'Munchen', 'MÜNCHEN', ''],
        ['ß and ss', 'Die Straße', 'STRASSE', ''],
        ['Cyrillic', 'Пользователь любит зелёный чай', 'Чай', ''],
        ['Cyrillic, е for ё', 'Пользователь любит зелёный чай', 'зеленый', ''],
        ['Greek, final sigma', 'Οδυσσεύς', 'ΟΔΥΣΣΕΥΣ', ''],
        ['Japanese', 'ユーザーは毎朝コーヒーを飲みます', 'コーヒー', ''],
        ['Japanese, a plain question', 'ユーザーは毎朝水を飲みます', '何の水が好きですか？', ''],
        ['Chinese', '用户喜欢喝绿茶', '绿茶', ''],
        ['Chinese, one character', '用户喜欢喝绿茶', '茶', ''],
        ['Chinese, a plain question', '用户喜欢喝绿茶', '他想喝什么？', ''],
        ['Thai', 'ผู้ใช้ชอบดื่มกาแฟตอนเช้า', 'กาแฟ', ''],
        ['Korean, without its particle', '사용자는 커피를 좋아합니다', '커피', ''],
        ['Korean, with another particle', '사용자는 커피를 좋아합니다', '커피가', ''],
        ['Korean, one syllable', '사용자는 물을 마신다', '물', ''],
        ['Arabic, without vowel signs', 'المستخدم يحب القَهْوَة', 'القهوة', ''],
        ['Hebrew', 'המשתמש אוהב קפה', 'קפה', ''],
        ['Hindi', 'उपयोगकर्ता को हिन्दी पसंद है', 'हिन्दी', ''],
        ['digits', 'Flight LH 4711 leaves at 09:45', '4711', ''],
        ['digits inside a word', 'Serial AB12X', 'ab12x', ''],
        ['full-width letters', 'ＡＢＣ １２３', 'abc 123', ''],
        ['emoji', 'Loves 🍕 on Fridays', '🍕', ''],
        ['two scripts without a space between', 'iPhoneを買った', 'iphone', ''],
        ['one word among many that are nowhere', 'Allergic to peanuts', 'what can peanuts zzz do qqq', ''],
      ])('finds %s', async (_, body, query) => {
        await index('s', { wanted: body, unrelated: 'Xylophone' });
        expect(await found(query)).toEqual(['wanted']);
      });

      test('a Japanese or Chinese word is not found in its characters apart', async () => {
        await index('s', { tower: '東の京', capital: '東京' });
        expect(await found('東京')).toEqual(['capital']);
      });

      test('best first: rare words count, words that are everywhere hardly do', async () => {
        await index('s', {
          1: 'The user likes to drink green tea',
          2: 'The user likes to play the guitar',
          3: 'The user likes to live in Rome',
          4: 'The user likes to drink water and to play chess with the user next door',
        });
        expect((await found('what does the user like to drink?')).slice(0, 2)).toEqual(['1', '4']);
        expect((await found('does the user play the guitar'))[0]).toBe('2');
        expect((await found('the user'))?.length).toBe(4);
        const hits = await store.search({ scope: 's', text: 'the user drinks green water', limit: 10 });
        expect(hits.map((hit) => hit.score)).toEqual(hits.map((h) => h.score).toSorted((a, b) => b - a));
        expect(hits.every((hit) => hit.score > 0)).toBe(true);
      });

      test.each([
        [
          'English',
          'What did she have to do at the harbour?',
          'She did have what was to do at it',
          'Old harbour',
        ],
        ['German', 'Wann war die Reise nach Bergen?', 'Wann war die, wann war das', 'Bergen'],
        ['German, one word of which is English', 'der war nicht in Rom', 'der war nicht in', 'Rom'],
        ['English, one word of which is German', 'what was the war for', 'what was the for', 'War'],
        ['Spanish', '¿Cuándo es el viaje de María?', 'cuando es el de la', 'viaje'],
        ['Chinese', '他想喝什么？', '他想什么', '喝'],
        ['Japanese', '何の水が好きですか？', '何のがですか', '水'],
      ])('function words count only where there are no others: %s', async (_, query, grammar, subject) => {
        await index('s', { grammar, subject, filler: 'Xylophone' });
        expect(await found(query)).toEqual(['subject']);
        expect(await found(grammar)).toContain('grammar');
      });

      test.each([
        ['a name by its parts', 'calls getUserById twice', 'user by id'],
        ['a name by its parts, capitals in a row', 'uses an XMLParser', 'parser'],
        ['a name of a text that parts it otherwise', 'the column get_user_by_id', 'getUserById'],
        ['a path by a part of it', 'see src/store/ranking-words.ts', 'ranking'],
        ['a word with a letter too few', 'lunch at the restaurant', 'restaurnt'],
        ['a word with a letter too many', 'lunch at the restaurant', 'resttaurant'],
        ['a word with a wrong letter', 'lunch at the restaurant', 'restaurent'],
        ['a word with two letters exchanged', 'lunch at the restaurant', 'restuarant'],
        ['a Cyrillic word with a wrong letter', 'обед в ресторане', 'ристоране'],
        ['a compound by its beginning', 'Die Krankenversicherung kostet viel', 'kranken'],
        ['a compound by its end', 'Die Krankenversicherung kostet viel', 'Versicherung'],
        ['a word by a compound of it', 'Die Versicherung kostet viel', 'Krankenversicherung'],
        ['a word by its beginning', 'a kindergarten nearby', 'kinderg'],
        ['an irregular form', 'She went to Rome', 'when did she go'],
        ['an irregular plural', 'two children', 'child'],
      ])('finds %s', async (_, body, query) => {
        await index('s', { wanted: body, unrelated: 'Xylophone', other: 'violin' });
        expect(await found(query)).toEqual(['wanted']);
      });

      test('what is like a word is looked for only where the word itself is hardly found', async () => {
        await index('s', { 1: 'tent', 2: 'tents', 3: 'a tent', like: 'test', long: 'tentacle' });
        expect((await found('tent')).toSorted()).toEqual(['1', '2', '3']);
        await write({ drop: '1' }, { drop: '2' });
        expect((await found('tent'))[0]).toBe('3');
        expect((await found('tent')).toSorted()).toEqual(['3', 'like', 'long']);
      });

      test('an entry that repeats a word comes before one that has it once', async () => {
        await index('s', { twice: 'tea or tea', later: 'tea or milk', filler: 'milk' });
        expect(await found('tea')).toEqual(['twice', 'later']);
      });

      test('an entry with all words of the query comes before one with its rarest', async () => {
        await index('s', {
          both: 'She painted a sunrise over a lake',
          rare: 'Sunrise',
          1: 'A lake',
          2: 'The lake',
          3: 'Lake again',
        });
        expect(await found('lake sunrise')).toEqual(['both', 'rare', '3', '2', '1']);
      });

      test('tags narrow a search: of each group an entry has at least one', async () => {
        const tagged = (key: string, ...tags: string[]): Write => ({
          key,
          value: key,
          text: { scope: 's', body: 'green tea', tags },
        });
        await write(
          tagged('1', 'session:a', 'by:ann'),
          tagged('2', 'session:a', 'by:bob'),
          tagged('3', 'session:b', 'by:ann'),
          tagged('4'),
          { key: '5', value: '5', text: { scope: 't', body: 'green tea', tags: ['session:a'] } },
        );
        const among = async (text: string, ...tags: string[][]) =>
          (await store.search({ scope: 's', text, limit: 9, tags })).map((hit) => hit.key);
        expect(await among('tea')).toEqual(['4', '3', '2', '1']);
        expect(await among('tea', ['session:a'])).toEqual(['2', '1']);
        expect(await among('tea', ['session:a', 'session:b'])).toEqual(['3', '2', '1']);
        expect(await among('tea', ['session:a', 'session:b'], ['by:ann'])).toEqual(['3', '1']);
        expect(await among('tea', ['session:c'])).toEqual([]);
        expect(await among('coffee', ['session:a'])).toEqual([]);
        for (const word of ['session:a', 'session', 'by:ann']) expect(await among(word)).toEqual([]);
        await write(tagged('1', 'session:b'));
        expect(await among('tea', ['session:a'])).toEqual(['2']);
        expect((await among('tea', ['session:b'])).toSorted()).toEqual(['1', '3']);
      });

      test('answers with no more than the limit, and with the values', async () => {
        await index('s', { a: 'tea one', b: 'tea two', c: 'tea three' });
        expect(await found('tea', 's', 2)).toHaveLength(2);
        const [hit] = await store.search({ scope: 's', text: 'three', limit: 5 });
        expect(hit).toMatchObject({ key: 'c', value: 'tea three' });
      });

      test.each([
        '',
        '   ',
        '!?',
        '"',
        '*',
        'AND OR NOT',
        'NEAR(a b)',
        'a" OR "b',
        'terms:tea',
        '-tea^2',
        "'; --",
        '(((',
        '\0',
      ])('takes the query %j for words, never for syntax', async (query) => {
        await index('s', { a: 'tea' });
        const hits = await found(query);
        expect(hits).toEqual(query.includes('tea') ? ['a'] : []);
      });

      test('takes a query of any length', async () => {
        await index('s', { a: 'pneumonoultramicroscopic', b: 'tea' });
        const query = `${Array.from({ length: 5000 }, (_, i) => `w${i}`).join(' ')} pneumonoultramicroscopic`;
        expect(await found(query)).toEqual(['a']);
        expect(await found('x'.repeat(1_000_000))).toEqual([]);
      });

      test('a scope sees its own entries only, whatever it is called', async () => {
        const scopes = [
          's',
          'S',
          's ',
          '',
          '"s"',
          "s' OR '1'='1",
          's*',
          '{"app":"a"}',
          's\u0001',
          'ß',
          'tea',
        ];
        for (const [i, scope] of scopes.entries()) await index(scope, { [`k${i}`]: `tea number${i}` });
        for (const [i, scope] of scopes.entries()) expect(await found('tea', scope)).toEqual([`k${i}`]);
        for (const scope of ['*', '%', 'k0', 's" OR "S', 'unknown'])
          expect(await found('tea', scope)).toEqual([]);
      });

      test('follows every change of an entry', async () => {
        await index('s', { a: 'green tea', b: 'black tea' });
        await index('s', { a: 'coffee' });
        expect(await found('tea')).toEqual(['b']);
        expect(await found('coffee')).toEqual(['a']);
        await index('t', { a: 'coffee' });
        expect(await found('coffee')).toEqual([]);
        expect(await found('coffee', 't')).toEqual(['a']);
        await write({ key: 'a', value: 'no text now' });
        expect(await found('coffee', 't')).toEqual([]);
        await write({ drop: 'b' });
        expect(await found('tea')).toEqual([]);
        await index('s', { 'p/1': 'tea', 'p/2': 'tea' });
        await write({ dropPrefix: 'p/' });
        expect(await found('tea')).toEqual([]);
      });
    });

    describe('watch', () => {
      const soon = (ms = 200) => new Promise((resolve) => setTimeout(resolve, ms));

      test('calls back after a put, a drop and a dropPrefix, until it is ended', async () => {
        let calls = 0;
        const end = store.watch('w/k', () => {
          calls++;
        });
        const callsAfter = async (...writes: Write[]) => {
          const before = calls;
          await write(...writes);
          await soon();
          return calls - before;
        };
        expect(await callsAfter({ key: 'w/k', value: '1' })).toBeGreaterThan(0);
        expect(await callsAfter({ key: 'other', value: '1' })).toBe(0);
        expect(await callsAfter({ drop: 'w/k' })).toBeGreaterThan(0);
        expect(await callsAfter({ key: 'w/k', value: '2' })).toBeGreaterThan(0);
        expect(await callsAfter({ dropPrefix: 'w/' })).toBeGreaterThan(0);
        end();
        end();
        expect(await callsAfter({ key: 'w/k', value: '3' })).toBe(0);
      });

      test('watchers of one key come and go on their own', async () => {
        const calls: string[] = [];
        const endFirst = store.watch('k', () => calls.push('first'));
        const endSecond = store.watch('k', () => calls.push('second'));
        endFirst();
        await put({ k: '1' });
        await soon();
        expect(new Set(calls)).toEqual(new Set(['second']));
        endSecond();
      });
    });

    // An engine whose data belongs to one connection does not have these tests.
    if (shared)
      describe('two connections', () => {
        let other: Store;

        beforeEach(() => {
          if (subject.other === undefined) throw new Error('the subject has no other connection');
          other = subject.other;
        });

        test('see what the other wrote as soon as it is acknowledged', async () => {
          for (let i = 0; i < 50; i++) {
            await put({ k: String(i) });
            expect(await other.get(['k'])).toEqual([String(i)]);
            await other.update([], () => ({ result: 0, writes: [{ key: 'j', value: String(i) }] }));
            expect(await keysOf({ prefix: 'j' })).toEqual(['j']);
            expect(await store.get(['j', 'k'])).toEqual([String(i), String(i)]);
          }
        });

        test('decide on what the other wrote last, also to write nothing or to refuse', async () => {
          const refuseOne = (on: Store) =>
            on.update(['k', 'j'], ([k, j]) => {
              if (k === '1') throw new Error('one');
              return { result: [k, j], writes: [] };
            });
          for (let round = 0; round < 3; round++) {
            await store.update(['k', 'j'], () => ({ result: 0, writes: [{ key: 'k', value: '1' }] }));
            await expect(refuseOne(store)).rejects.toThrow('one');
            await other.update([], () => ({
              result: 0,
              writes: [
                { key: 'k', value: '2' },
                { key: 'j', value: String(round) },
              ],
            }));
            expect(await refuseOne(store)).toEqual(['2', String(round)]);
            await other.update([], () => ({ result: 0, writes: [{ drop: 'k' }, { dropPrefix: 'j' }] }));
            expect(await refuseOne(store)).toEqual([undefined, undefined]);
          }
        });

        test('lose none of their updates of one key', async () => {
          const run = async (on: Store) => {
            for (let i = 0; i < 100; i++) await Promise.all([increment('n', on), increment('n', on)]);
          };
          await Promise.all([run(store), run(other)]);
          expect(await store.get(['n'])).toEqual(['400']);
        });

        test('never show half of an update', async () => {
          let done = false;
          const writer = (async () => {
            for (let i = 0; i < 300; i++) await put({ a: String(i), b: String(i) });
            done = true;
          })();
          while (!done) {
            const [a, b] = await other.get(['a', 'b']);
            expect(a).toBe(b);
            // An engine may answer without ever waiting; the writer needs its turns.
            await new Promise((resolve) => setImmediate(resolve));
          }
          await writer;
        });

        test('tell their watchers of each other within 200 ms', async () => {
          await put({ k: '0' });
          for (const value of ['1', '2']) {
            const told = new Promise<number>((resolve) => {
              const end = other.watch('k', () => {
                end();
                resolve(performance.now());
              });
            });
            await new Promise((resolve) => setTimeout(resolve, 60));
            const written = performance.now();
            await put({ k: value });
            expect((await told) - written).toBeLessThan(200);
          }
        });
      });

    describe('close', () => {
      test('finishes what is under way, then refuses', async () => {
        const updates = Array.from({ length: 20 }, () => increment('n'));
        const closing = Promise.all([store.close(), store.close()]);
        expect(await Promise.all(updates)).toHaveLength(20);
        await closing;
        const refused = { name: SessionError.name, code: 'UNAVAILABLE' };
        await expect(store.get(['n'])).rejects.toMatchObject(refused);
        await expect(store.range({ prefix: '', limit: 1 })).rejects.toMatchObject(refused);
        await expect(increment('n')).rejects.toMatchObject(refused);
        await expect(store.search({ scope: 's', text: 'q', limit: 1 })).rejects.toMatchObject(refused);
        await expect(store.sweep()).rejects.toMatchObject(refused);
        await store.close();
      });
    });
  });
}
