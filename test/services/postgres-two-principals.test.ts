import { afterAll } from 'vitest';
import { openPostgres } from '../../src/store/postgres/index.ts';
import { twoPrincipals } from '../security/two-principals.ts';
import { freshPlace } from './postgres.ts';

const drops: (() => Promise<void>)[] = [];
afterAll(async () => {
  for (const drop of drops) await drop();
});

twoPrincipals(async () => {
  const { url, drop } = await freshPlace();
  drops.push(drop);
  return openPostgres({ url });
});
