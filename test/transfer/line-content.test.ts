import { describe, expect, it } from 'vitest';
import { lineReader } from '../../src/transfer/json-lines.ts';
import { type NumberedLine, numberedLines } from '../../src/transfer/numbered-lines.ts';

const nested = (depth: number) => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const header = (state: string) =>
  `{"kind":"session","format":1,"session":{"id":"s","app":"a","userId":"u","createTime":"2026-01-01T00:00:00.000Z","updateTime":"2026-01-01T00:00:00.000Z","state":${state}}}`;
const event = (args: string) =>
  `{"kind":"event","event":{"id":"e","author":"x","invocationId":"i","timestamp":"2026-01-01T00:00:00.000Z","content":{"parts":[{"functionCall":{"name":"f","args":${args}}}]}}}`;

describe('a line of an import', () => {
  it.each<[string, string, RegExp]>([
    ['nesting of 20,000', nested(20_000), /nested more than \d+ deep/],
    ['nesting deeper than an argument may be', nested(120), /nested more than \d+ deep/],
    ['a key __proto__', '{"x":{"__proto__":1}}', /x\.__proto__" is a reserved key/],
    ['half a character', '{"x":"\\udc00"}', /x" holds broken Unicode/],
    ['a number beyond all', '{"x":1e400}', /x" is a number that is too large/],
  ])('is refused for %s, with its number and the path', (_what, json, words) => {
    const reader = lineReader();
    expect(() => reader.first({ number: 1, text: header(json) })).toThrow(words);
    expect(() => reader.first({ number: 1, text: header(json) })).toThrow(/^Line 1 /);
    reader.first({ number: 1, text: header('{}') });
    expect(() => reader.next({ number: 2, text: event(json) })).toThrow(words);
    expect(() => reader.next({ number: 3, text: event(json) })).toThrow(/^Line 3 /);
  });

  it('is taken with all that the tools take', () => {
    const reader = lineReader();
    reader.first({ number: 1, text: header(nested(100)) });
    expect(reader.next({ number: 2, text: event(nested(95)) })).toMatchObject({ kind: 'event' });
  });
});

describe('the lines of a file', () => {
  async function* once(text: string): AsyncGenerator<Uint8Array, void> {
    yield Buffer.from(text);
  }
  async function read(text: string, most: number): Promise<NumberedLine[]> {
    const lines: NumberedLine[] = [];
    for await (const line of numberedLines(once(text), most)) lines.push(line);
    return lines;
  }

  it('have at most so many bytes', async () => {
    expect(await read('1234\n5678\n', 4)).toEqual([
      { number: 1, text: '1234' },
      { number: 2, text: '5678' },
    ]);
    await expect(read('1234\n56789\n', 4)).rejects.toThrow(/^Line 2 has more than 4 bytes/);
  });
});
