import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, expect, it } from 'vitest';
import { createLog } from '../../../src/log.ts';
import { addToken } from '../../../src/server/auth/add-token.ts';
import { openTokens, readTokens } from '../../../src/server/auth/tokens.ts';
import { scratch } from '../../scratch.ts';

let folder: string;
let file: string;
beforeEach(() => {
  folder = scratch();
  file = path.join(folder, 'tokens.json');
});

const write = ['sessions:read', 'sessions:write'] as const;

it('makes the file, and each token that it prints is good', async () => {
  const ann = await addToken(file, { user: 'ann', scopes: write });
  const root = await addToken(file, { user: 'root', scopes: ['sessions:admin'] });
  const find = await openTokens(
    file,
    createLog(() => {}),
  );
  expect((await find(ann))?.principal).toMatchObject({ userId: 'ann', admin: false });
  expect((await find(root))?.principal).toMatchObject({ userId: 'root', admin: true });
  expect(readFileSync(file, 'utf8')).not.toContain(ann);
  expect(statSync(file).mode & 0o077).toBe(0);
  expect(readdirSync(folder)).toEqual(['tokens.json']);
});

it('keeps what people wrote into other entries', async () => {
  await addToken(file, { user: 'ann', scopes: write });
  const [entry] = JSON.parse(readFileSync(file, 'utf8')) as object[];
  // Some editors write a byte order mark.
  writeFileSync(
    file,
    `\uFEFF${JSON.stringify([{ ...entry, note: 'Ann’s laptop', expires: '2100-01-01T00:00:00Z' }])}`,
  );
  expect(await readTokens(file)).toHaveLength(1);
  await addToken(file, { user: 'bob', scopes: write });
  expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject([{ note: 'Ann’s laptop' }, { user: 'bob' }]);
});

it('leaves a file alone that is wrong, and says so', async () => {
  writeFileSync(file, '{"not": "a list"}');
  await expect(addToken(file, { user: 'ann', scopes: write })).rejects.toMatchObject({
    code: 'INVALID_ARGUMENT',
  });
  expect(readFileSync(file, 'utf8')).toBe('{"not": "a list"}');
  const nowhere = path.join(folder, 'none', 'tokens.json');
  await expect(addToken(nowhere, { user: 'ann', scopes: write })).rejects.toMatchObject({
    message: 'The token file cannot be written.',
  });
});

it.each([
  ['long ago', new Date(0)],
  ['by a clock that was ahead', new Date('2100-01-01')],
])('loses none of those that are added at the same time, beside a file abandoned %s', async (_, made) => {
  const abandoned = `${file}.new`;
  writeFileSync(abandoned, '[');
  utimesSync(abandoned, made, made);
  const users = Array.from({ length: 10 }, (_, i) => `user${i}`);
  await Promise.all(users.map((user) => addToken(file, { user, scopes: write })));
  const entries = JSON.parse(readFileSync(file, 'utf8')) as { user: string }[];
  expect(entries.map(({ user }) => user).sort()).toEqual(users);
  expect(readdirSync(folder)).toEqual(['tokens.json']);
});
