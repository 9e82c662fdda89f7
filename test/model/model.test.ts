import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { quote, SessionError } from '../../src/errors.ts';
import { answerBytes, cutText, fitItems, fitTo } from '../../src/model/budget.ts';
import { contentFault, contentSchema, partKinds, textOf } from '../../src/model/event.ts';
import { matchesFilter, parseFilter } from '../../src/model/filter.ts';
import { checkId, idFault, newId, newLongId, newTimedId, timeOfId } from '../../src/model/ids.ts';
import { canonicalJson, jsonBytes } from '../../src/model/json.ts';
import { openPageToken, sealPageToken } from '../../src/model/page.ts';
import { applyDelta, mergeState, splitState } from '../../src/model/state.ts';
import { escapeUnseen } from '../../src/model/text.ts';
import { parseTime } from '../../src/model/time.ts';
import { artifactUri, eventsUri, parseUri, sessionUri } from '../../src/model/uri.ts';

describe('ids', () => {
  it('never repeat, and are short and legal on every backend', () => {
    const ids = Array.from({ length: 100_000 }, () => newId('s'));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => /^s\d{18}$/.test(id))).toBe(true);
  });

  it('that tell a time never repeat, sort by it, also behind those of the first release, and give it back', () => {
    const now = 1_763_000_000_000;
    const ids = Array.from({ length: 100_000 }, () => newTimedId('m', now));
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.every((id) => /^m\d{21}$/.test(id) && timeOfId(id) === now)).toBe(true);
    const times = [1, 1_700_000_000_000, now, 4_000_000_000_000];
    const byTime = [newLongId('m', now - 1), ...times.slice(2).map((ms) => newTimedId('m', ms))];
    expect([...byTime].sort()).toEqual(byTime);
    expect(times.map((ms) => timeOfId(newLongId('x', ms)))).toEqual(times);
  });

  it('take every digit in every random place', () => {
    const ids = Array.from({ length: 4000 }, () => newId('s'));
    for (let place = 1; place < 19; place += 1) expect(new Set(ids.map((id) => id[place])).size).toBe(10);
    const tails = Array.from({ length: 4000 }, () => newLongId('x', 0).slice(10));
    for (let place = 1; place < 25; place += 1)
      expect(new Set(tails.map((tail) => tail[place])).size).toBe(36);
  });

  it('of others are refused only when no system could mean them', () => {
    for (const good of ['a', '19-digit 1234567890123456789', 'ü/%2F:', '😀', '__proto__'])
      expect(idFault(good)).toBeUndefined();
    for (const bad of ['', 'a\u0000', 'x'.repeat(257), '\udfff']) {
      expect(idFault(bad)).toEqual(expect.any(String));
      expect(() => checkId('sessionId', bad)).toThrow(SessionError);
    }
  });
});

describe('page tokens', () => {
  const key = Buffer.alloc(32, 1);
  const token = sealPageToken(key, 'ada list_events s1', 'cursor/ü');

  it('open for whom and what they were made', () => {
    expect(openPageToken(key, 'ada list_events s1', token)).toBe('cursor/ü');
  });

  it('open for nobody and nothing else, and not when a byte is changed', () => {
    const others = ['bob list_events s1', 'ada list_events s2', 'ada list_events s', ''];
    for (const binding of others) expect(() => openPageToken(key, binding, token)).toThrow(/does not belong/);
    expect(() => openPageToken(Buffer.alloc(32, 2), 'ada list_events s1', token)).toThrow(SessionError);
    for (let i = 0; i < token.length; i += 1) {
      const changed = token.slice(0, i) + (token[i] === 'A' ? 'B' : 'A') + token.slice(i + 1);
      if (
        Buffer.from(changed.split('.')[1] ?? '', 'base64url').equals(
          Buffer.from(token.split('.')[1] ?? '', 'base64url'),
        ) &&
        changed.split('.')[0] === token.split('.')[0]
      )
        continue;
      expect(() => openPageToken(key, 'ada list_events s1', changed), changed).toThrow(SessionError);
    }
    for (const junk of ['', '.', 'x', 'a.b.c', '\u0000'])
      expect(() => openPageToken(key, 'x', junk)).toThrow(SessionError);
  });

  it('keep binding and cursor apart', () => {
    const one = sealPageToken(key, 'ab', 'c').split('.')[1];
    const other = sealPageToken(key, 'a', 'bc').split('.')[1];
    expect(one).not.toBe(other);
  });
});

describe('state', () => {
  it('is split by prefix and merged with prefixes kept; temp: is nowhere', () => {
    const parts = splitState({ a: 1, 'user:b': 2, 'app:c': 3, 'temp:d': 4, 'users:e': 5 });
    expect(parts).toEqual({ session: { a: 1, 'users:e': 5 }, user: { 'user:b': 2 }, app: { 'app:c': 3 } });
    expect(mergeState(parts)).toEqual({ a: 1, 'users:e': 5, 'user:b': 2, 'app:c': 3 });
  });

  it('takes a delta key by key, values whole, null as a value', () => {
    expect(applyDelta({ a: { x: 1 }, b: 1 }, { a: { y: 2 }, b: null })).toEqual({ a: { y: 2 }, b: null });
  });
});

describe('filters', () => {
  it('read both name styles, joined by AND, with escapes', () => {
    expect(parseFilter('displayName="a \\"q\\" \\\\" AND labels.env="dev"')).toEqual([
      { field: 'displayName', key: '', value: 'a "q" \\' },
      { field: 'label', key: 'env', value: 'dev' },
    ]);
    expect(parseFilter(' user_id = "u"  AND display_name="d" ')).toHaveLength(2);
  });

  it.each([
    '',
    'x',
    'name="a"',
    'displayName=a',
    'displayName="a',
    'displayName="a" OR userId="b"',
    'labels="a"',
    'userId.x="a"',
    'displayName="a" AND',
    'displayName="a" userId="b"',
    'AND displayName="a"',
    'constructor="x"',
    'toString="x"',
    '__proto__="x"',
  ])('refuse %j', (text) => {
    expect(() => parseFilter(text)).toThrow(SessionError);
  });

  it('match only where every term holds, prototypes not included', () => {
    const session = {
      id: 's',
      app: 'a',
      userId: 'u',
      displayName: 'd',
      labels: { env: 'dev' },
      createTime: '',
      updateTime: '',
    };
    expect(matchesFilter(session, parseFilter('userId="u" AND labels.env="dev"'))).toBe(true);
    expect(matchesFilter(session, parseFilter('userId="u" AND labels.env="prod"'))).toBe(false);
    expect(matchesFilter(session, [{ field: 'label', key: 'constructor', value: 'x' }])).toBe(false);
  });
});

describe('answer budgets', () => {
  it('leave alone what fits', () => {
    const value = { a: 'x'.repeat(1000), b: [1, 2] };
    const bytes = Buffer.byteLength(JSON.stringify(value));
    expect(fitTo(value, answerBytes, 'how')).toEqual({ value, truncated: false, bytes });
  });

  it('bring anything under the limit, and say how to get the rest', () => {
    const nasty = [
      { text: 'x'.repeat(10_000_000) },
      { text: '😀'.repeat(100_000) },
      { list: Array.from({ length: 50_000 }, (_, i) => `item ${i}`) },
      { map: Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`key${i}`, i])) },
      { deep: Array.from({ length: 300 }, () => ({ a: ['y'.repeat(500), { b: 'z'.repeat(500) }] })) },
    ];
    for (const value of nasty) {
      const fitted = fitTo(value, answerBytes, 'ask get_event');
      expect(jsonBytes(fitted.value)).toBeLessThanOrEqual(answerBytes);
      expect(fitted.truncated).toBe(true);
      expect(Object.keys(fitted.value)).toEqual(Object.keys(value));
      expect(JSON.stringify(fitted.value).isWellFormed()).toBe(true);
    }
  });

  it('hold for keys, for trees that branch everywhere, for what is nested beyond reason, and for what cannot be seen', () => {
    const tree = (depth: number): unknown =>
      depth === 0 ? 'leaf' : [tree(depth - 1), { a: tree(depth - 1) }];
    let deep: unknown = 'end';
    for (let i = 0; i < 100_000; i += 1) deep = i % 2 === 0 ? [deep] : { a: deep };
    const nasty = [
      { state: { ['k'.repeat(1_000_000)]: 1 } },
      { state: Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${i}${'k'.repeat(10_000)}`, i])) },
      { state: tree(14) },
      { state: { deep } },
      { state: { text: '\u{e0041}'.repeat(5000) } },
      { a: tree(8), b: tree(8), c: tree(8), d: ['x'.repeat(400_000)] },
    ];
    for (const value of nasty) {
      const fitted = fitTo(value, answerBytes, 'ask get_session');
      expect(Buffer.byteLength(escapeUnseen(JSON.stringify(fitted.value)))).toBeLessThanOrEqual(answerBytes);
      expect(fitted.truncated).toBe(true);
      expect(JSON.stringify(fitted.value)).toContain('ask get_session');
      expect(Object.keys(fitted.value)).toEqual(Object.keys(value));
    }
  });

  it('of any size leave an answer that can be written, with no half characters', () => {
    let deep: unknown = 'end';
    for (let i = 0; i < 100_000; i += 1) deep = { a: deep };
    const { value, truncated } = fitTo({ deep, text: 'a\ud83d' }, Number.POSITIVE_INFINITY, 'too deep');
    expect(JSON.stringify(value).length).toBeLessThan(2000);
    expect([value.text, truncated]).toEqual(['a\ufffd', true]);
  });

  it('hold for any JSON and any budget that has room for the marks', () => {
    fc.assert(
      fc.property(
        fc.jsonValue({ maxDepth: 12, stringUnit: 'binary' }),
        fc.integer({ min: 120, max: 3000 }),
        (json, most) => {
          const value = { state: { json, again: [json, json, json] } };
          const fitted = fitTo(value, most, 'how');
          const text = escapeUnseen(JSON.stringify(fitted.value));
          expect(Buffer.byteLength(text)).toBeLessThanOrEqual(most);
          if (!fitted.truncated) expect(fitted.value).toEqual(value);
        },
      ),
      { numRuns: 300 },
    );
  });

  it('keep a key __proto__ a key', () => {
    const state = JSON.parse('{"__proto__":{"x":1}}') as object;
    const { value } = fitTo({ state, long: 'x'.repeat(30_000) }, answerBytes, 'how');
    expect(Object.hasOwn(value.state, '__proto__')).toBe(true);
  });

  it('mark what a list lacks, in its own kind', () => {
    const { value } = fitTo(
      { content: { parts: Array.from({ length: 3000 }, () => ({ text: 'x'.repeat(20) })) } },
      answerBytes,
      'how',
    );
    expect(value.content.parts.at(-1)).toEqual({ '…': expect.stringMatching(/^\d+ more; how$/) });
  });

  it('never cut a character in half', () => {
    expect(cutText('a😀'.repeat(200), 100, 'how').isWellFormed()).toBe(true);
    expect(cutText('a😀'.repeat(200), 101, 'how').isWellFormed()).toBe(true);
  });
});

describe('items of an answer', () => {
  it('are as many as have room, each cut to its share', () => {
    const items = Array.from({ length: 100 }, (_, i) => ({ id: `${i}`, fact: 'x'.repeat(10_000) }));
    const { value, truncated } = fitItems(items, answerBytes, 3000, 'how');
    expect(truncated).toBe(true);
    expect(jsonBytes(value)).toBeLessThanOrEqual(answerBytes);
    expect(value.length).toBeGreaterThan(3);
    expect(value.every(({ id, fact }) => id !== '' && fact.includes('how'))).toBe(true);
    expect(fitItems([{ a: 1 }], 1, 1, 'how')).toMatchObject({ value: [{ a: 1 }] });
  });
});

describe('content', () => {
  it('has parts with exactly one kind of data, of all kinds', () => {
    const one: Record<(typeof partKinds)[number], unknown> = {
      text: 't',
      inlineData: { mimeType: 'image/png', data: 'AAAA' },
      fileData: { fileUri: 'gs://b/o' },
      functionCall: { id: '1', name: 'f', args: { a: 1 } },
      functionResponse: { id: '1', name: 'f', response: { b: 2 } },
      executableCode: { language: 'PYTHON', code: '1' },
      codeExecutionResult: { outcome: 'OUTCOME_OK', output: '1' },
    };
    for (const kind of partKinds) {
      const content = contentSchema().parse({ role: 'model', parts: [{ [kind]: one[kind] }] });
      expect(content.parts[0]?.[kind]).toEqual(one[kind]);
      expect(contentFault(content)).toBeUndefined();
      const other = kind === 'text' ? 'fileData' : 'text';
      expect(contentFault({ parts: [{ [kind]: one[kind], [other]: one[other] }] })).toContain('at once');
    }
    expect(contentFault({ parts: [{ thought: true }] })).toContain('none of');
    expect(contentSchema().safeParse({ parts: [{ txt: 'x' }] }).success).toBe(false);
  });

  it('reads as its text without its thoughts', () => {
    expect(
      textOf({
        content: {
          parts: [
            { text: 'hm', thought: true },
            { text: 'a' },
            { fileData: { fileUri: 'x' } },
            { text: 'b' },
          ],
        },
      }),
    ).toBe('a\nb');
  });
});

describe('small things', () => {
  it('canonical JSON does not depend on the order of keys', () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: undefined })).toBe(canonicalJson({ b: [{ c: 2, d: 1 }] }));
  });

  it('times need a zone and a date that exists', () => {
    expect(parseTime('t', '2026-11-21T10:00:00+01:00')).toBe(Date.parse('2026-11-21T09:00:00Z'));
    expect(parseTime('t', '2028-02-29t23:59:59z')).toBe(Date.parse('2028-02-29T23:59:59Z'));
    for (const none of [
      '2026-02-29T00:00:00Z',
      '2026-04-31T00:00:00Z',
      '2026-01-00T00:00:00Z',
      '2026-01-01T24:00:00Z',
    ])
      expect(() => parseTime('t', none)).toThrow(SessionError);
    for (const bad of ['2026-11-21', '2026-11-21T10:00:00', '21.11.2026', '', '2026-13-01T00:00:00Z', 'now'])
      expect(() => parseTime('t', bad)).toThrow(SessionError);
  });

  it('quoted values show no invisible or reordering characters', () => {
    const shown = quote('a\u202eb\u0000\n\u200b'.repeat(50));
    expect(shown).toMatch(/^"[\x20-\x7e…]*"$/);
    expect(shown.length).toBeLessThan(500);
  });

  it('addresses come back as they were', () => {
    const place = { app: 'a/b ü', sessionId: '?#%' };
    expect(parseUri(sessionUri(place))).toEqual({ ...place, kind: 'session' });
    expect(parseUri(eventsUri(place))).toEqual({ ...place, kind: 'events' });
    expect(parseUri(artifactUri(place, 'user:x/y'))).toEqual({
      ...place,
      kind: 'artifact',
      name: 'user:x/y',
    });
    for (const bad of ['session://a', 'http://a/b', 'session://a/b/c', 'session://a/%zz', ''])
      expect(parseUri(bad)).toBeUndefined();
  });
});
