import { afterAll } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { meaningContract } from '../contract/meaning.ts';
import { freshPlace } from './postgres.ts';

const drops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const drop of drops) await drop();
});

meaningContract('postgres', async () => {
  const { url, drop } = await freshPlace();
  drops.push(drop);
  return openStore({ url, durability: 'full', dataDir: '' });
});
