import { describe, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';

function entryOf(fields: Record<string, unknown>, secrets: string[] = []): Record<string, unknown> {
  const lines: string[] = [];
  createLog((line) => lines.push(line), secrets).error('m', fields);
  return JSON.parse(lines.join('')) as Record<string, unknown>;
}

describe('the log', () => {
  it('shows a cause that is plain data as JSON, and any other kind readably', () => {
    const cause = { code: 7, details: ['a', { token: 'abc' }] };
    expect(entryOf({ error: new Error('x', { cause }) })).toMatchObject({
      error: { cause: { code: 7, details: ['a', { token: '[redacted]' }] } },
    });
    const odd = entryOf({ error: new Error('x', { cause: new Map([['a', 1]]) }) });
    expect(JSON.stringify(odd)).toContain("'a' => 1");
    const nested = new Error('x', { cause: new Error('y', { cause: 'z' }) });
    expect(entryOf({ error: nested })).toMatchObject({ error: { cause: { message: 'y', cause: 'z' } } });
  });

  it('tells the errors behind a connection that was tried several times', () => {
    const error = new TypeError('fetch failed', {
      cause: new AggregateError([new Error('refused ::1'), new Error('refused 127.0.0.1')]),
    });
    expect(JSON.stringify(entryOf({ error }))).toMatch(/refused ::1.*refused 127/);
  });

  it('is readable for strict readers of JSON, whatever text it was given', () => {
    const lines: string[] = [];
    const cause = new Error('cut in \ud83d');
    createLog((line) => lines.push(line)).warn('m', {
      text: 'half \ud83d',
      error: new Error('x', { cause }),
    });
    expect(lines.join('')).not.toMatch(/\\ud83d/);
  });

  it('does not fail on what JSON cannot hold', () => {
    const loop: Record<string, unknown> = { a: 1n };
    loop.self = loop;
    expect(JSON.stringify(entryOf({ loop }))).toContain('Circular');
    expect(entryOf({ big: 12n })).toMatchObject({ big: '12' });
    expect(entryOf({ error: new Error('x', { cause: loop }) })).toMatchObject({
      message: 'm',
      level: 'error',
    });
  });

  it('redacts what the operator configured, by value, wherever and however it is written', () => {
    const secret = 'p"ss wörd/+&1';
    const fields = {
      text: `sent ${secret} away`,
      url: `https://x.example/?q=${encodeURIComponent(secret)}`,
      basic: `header ${Buffer.from(secret).toString('base64')}`,
      error: new Error(`bad ${secret}`, { cause: { body: secret, key: [secret] } }),
      [secret]: 1,
    };
    const text = JSON.stringify(entryOf(fields, ['other', secret, `${secret}-longer`]));
    expect(text).not.toContain('wörd');
    expect(text).not.toContain(encodeURIComponent('wörd'));
    expect(text).not.toContain(Buffer.from(secret).toString('base64'));
    expect(text.match(/\[redacted\]/g)?.length).toBeGreaterThanOrEqual(6);
    expect(entryOf({ a: 'abc' }, ['', 'a'])).toMatchObject({ a: 'abc' });
  });
});
