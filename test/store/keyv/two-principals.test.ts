import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KeyvFile } from 'keyv-file';
import { afterAll } from 'vitest';
import { openKeyvStore } from '../../../src/store/keyv/index.ts';
import { twoPrincipals } from '../../security/two-principals.ts';

const folders: string[] = [];
afterAll(async () => {
  for (const folder of folders) await rm(folder, { recursive: true });
});

twoPrincipals(async () => {
  const folder = await mkdtemp(join(tmpdir(), 'keyv file '));
  folders.push(folder);
  return openKeyvStore({
    keyv: new KeyvFile({ filename: join(folder, 'store'), separatedFile: true }),
    location: 'file',
  });
});
