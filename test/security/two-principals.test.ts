import { openStore } from '../../src/store/open.ts';
import { twoPrincipals } from './two-principals.ts';

twoPrincipals(() => openStore({ url: 'memory:', durability: 'full', dataDir: '' }));
