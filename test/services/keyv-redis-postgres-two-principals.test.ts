import { describe } from 'vitest';
import { openStore } from '../../src/store/open.ts';
import { twoPrincipals } from '../security/two-principals.ts';
import { adapters } from './keyv-adapters.ts';

describe.each(Object.entries(adapters))('keyv on %s', (_, fresh) => {
  twoPrincipals(() => openStore({ url: fresh(), durability: 'full', dataDir: '' }));
});
