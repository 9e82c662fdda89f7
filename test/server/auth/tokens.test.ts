import { mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { openTokens, parseTokens, tokenEntry } from '../../../src/server/auth/tokens.ts';
import { scratch } from '../../scratch.ts';
import { startProduct } from '../http/harness.ts';
import { as, modernRequest, send, tokenOf, tokensFor } from '../http/requests.ts';

const folder = scratch();
const quiet = createLog(() => {});

describe('static tokens', () => {
  it('are known by their hash, with their scopes and what these imply', async () => {
    const check = await openTokens(
      tokensFor({ reader: ['sessions:read'], writer: ['sessions:write'], boss: ['sessions:admin'] }),
      quiet,
    );
    expect(await check(tokenOf('reader'))).toEqual({
      principal: { userId: 'reader', scopes: ['sessions:read'], admin: false, name: 'reader' },
    });
    expect((await check(tokenOf('writer')))?.principal.scopes).toEqual(['sessions:read', 'sessions:write']);
    expect((await check(tokenOf('boss')))?.principal).toMatchObject({ admin: true });
    expect((await check(tokenOf('boss')))?.principal.scopes).toHaveLength(3);
    for (const wrong of ['', 'x', tokenOf('reade'), `${tokenOf('reader')} `, tokenOf('stranger')])
      expect(await check(wrong)).toBeUndefined();
  });

  /** Tokens of a file that the test changes; every check reads it again. */
  async function watched(name: string) {
    const file = path.join(folder, name);
    let now = 0;
    const lines: string[] = [];
    writeFileSync(file, tokensFor({ ann: ['sessions:read'] }));
    const check = await openTokens(
      file,
      createLog((line) => lines.push(line)),
      () => now,
    );
    const isIn = async (user: string) => {
      now += 2000;
      return (await check(tokenOf(user))) !== undefined;
    };
    const errors = () => lines.filter((line) => line.includes('"level":"error"')).length;
    return { file, isIn, errors };
  }

  it('are read again when the file changes, and stay while the new file is wrong', async () => {
    const { file, isIn, errors } = await watched('tokens.json');
    expect(await isIn('ann')).toBe(true);
    writeFileSync(file, tokensFor({ bob: ['sessions:read'], cy: ['sessions:read'] }));
    expect([await isIn('ann'), await isIn('bob')]).toEqual([false, true]);
    writeFileSync(file, '[{');
    expect([await isIn('bob'), await isIn('bob')]).toEqual([true, true]);
    expect(errors()).toBe(1);
    writeFileSync(file, tokensFor({ dan: ['sessions:read'] }));
    expect([await isIn('bob'), await isIn('dan')]).toEqual([false, true]);
  });

  it('are read again after a moment in which the file could not be read', async () => {
    const { file, isIn, errors } = await watched('moment.json');
    // A folder in its place cannot be read by any user, not even by root.
    renameSync(file, `${file}.old`);
    mkdirSync(file);
    expect([await isIn('ann'), await isIn('ann')]).toEqual([true, true]);
    expect(errors()).toBe(1);
    rmSync(file, { recursive: true });
    writeFileSync(file, tokensFor({ bob: ['sessions:read'] }));
    expect([await isIn('ann'), await isIn('bob')]).toEqual([false, true]);
  });

  it('are read again after a moment in which the file was half written, even if nothing else tells', async () => {
    const { file, isIn, errors } = await watched('half.json');
    const whole = tokensFor({ bob: ['sessions:read'] });
    const time = new Date('2026-01-01T00:00:00Z');
    writeFileSync(file, whole.replace(/]$/, ' '));
    utimesSync(file, time, time);
    expect([await isIn('ann'), errors()]).toEqual([true, 1]);
    // Size, file and time stay the same: clocks of file systems can be coarse.
    writeFileSync(file, whole);
    utimesSync(file, time, time);
    expect([await isIn('ann'), await isIn('bob')]).toEqual([false, true]);
  });

  it.each([
    ['empty', (file: string) => writeFileSync(file, '')],
    ['blank', (file: string) => writeFileSync(file, ' \n')],
    ['a list of none', (file: string) => writeFileSync(file, '[]')],
    ['deleted', (file: string) => rmSync(file)],
  ])('are all taken back when the file is %s, until it has entries again', async (what, change) => {
    const { file, isIn } = await watched(`revoked ${what}.json`);
    expect(await isIn('ann')).toBe(true);
    change(file);
    expect(await isIn('ann')).toBe(false);
    writeFileSync(file, tokensFor({ ann: ['sessions:read'] }));
    expect(await isIn('ann')).toBe(true);
  });

  it.each(['', '[]'])('must be some at the start', async (content) => {
    const file = path.join(folder, 'none.json');
    writeFileSync(file, content);
    await expect(openTokens(file, quiet)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
    rmSync(file);
    await expect(openTokens(file, quiet)).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('expire', async () => {
    const [entry] = JSON.parse(tokensFor({ ann: ['sessions:read'] })) as object[];
    let now = Date.parse('2026-01-01T00:00:00Z');
    const source = JSON.stringify([{ ...entry, expires: '2026-01-01T00:00:10Z' }]);
    const check = await openTokens(source, quiet, () => now);
    expect(await check(tokenOf('ann'))).toBeDefined();
    now += 10_000;
    expect(await check(tokenOf('ann'))).toBeUndefined();
  });

  it('are refused whole when an entry is wrong, without showing it', () => {
    const [good] = JSON.parse(tokensFor({ ann: ['sessions:read'] })) as Record<string, unknown>[];
    for (const bad of [
      {},
      [{ ...good, sha256: 'secret-token-in-clear' }],
      [{ ...good, scopes: ['sessions:all'] }],
      [{ ...good, scopes: [] }],
      [{ ...good, user: '' }],
      [{ ...good, token: 'secret-token-in-clear' }],
      [good, good],
    ])
      expect(() => parseTokens(JSON.stringify(bad))).toThrow(
        expect.objectContaining({ code: 'INVALID_ARGUMENT', message: expect.not.stringContaining('secret') }),
      );
    expect(() => parseTokens('nonsense')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('are made into entries by hash-token, unless they are short', () => {
    const token = 'A'.repeat(22);
    const entry = tokenEntry(token, 'ann');
    expect(parseTokens(JSON.stringify([entry]))).toHaveLength(1);
    expect(JSON.stringify(entry)).not.toContain(token);
    for (const bad of ['', 'short', `${'A'.repeat(30)} x`])
      expect(() => tokenEntry(bad, 'ann')).toThrow(expect.objectContaining({ code: 'INVALID_ARGUMENT' }));
  });

  it('let in over HTTP, and show up nowhere', async () => {
    const file = path.join(folder, 'served.json');
    writeFileSync(file, tokensFor({ ann: ['sessions:write'] }));
    const product = await startProduct({ settings: { tokens: file } });
    const list = modernRequest('tools/list');
    const answer = await send(product.port, as('ann', list));
    expect(answer.status).toBe(200);
    const refused = await send(product.port, as('bob', list));
    expect(refused.status).toBe(401);
    expect(refused.headers['www-authenticate']).toContain('invalid_token');
    const seen = JSON.stringify([answer, refused, product.entries]);
    for (const user of ['ann', 'bob']) expect(seen).not.toContain(tokenOf(user));
    await product.end();
  });

  it('are needed by a server that the network can reach', async () => {
    for (const host of ['0.0.0.0', '::', '192.0.2.1', 'example.org'])
      await expect(startProduct({ settings: { host } })).rejects.toMatchObject({
        code: 'FAILED_PRECONDITION',
      });
    const settings = { host: '0.0.0.0', tokens: tokensFor({ ann: ['sessions:read'] }) };
    const product = await startProduct({ settings });
    expect((await send(product.port, modernRequest('tools/list'))).status).toBe(401);
    expect((await send(product.port, as('ann', modernRequest('tools/list')))).status).toBe(200);
    await product.end();
  });
});
