import { openLocal } from '../../src/backend/local/index.ts';
import { openStore } from '../../src/store/open.ts';
import { backendContract } from '../contract/backend.ts';
import { freshPlace } from './postgres.ts';

backendContract('local on postgres', {
  async open() {
    const { url, drop } = await freshPlace();
    const backend = openLocal({ store: await openStore({ url, durability: 'full', dataDir: '' }) });
    return {
      backend,
      app: 'contract',
      async close() {
        await backend.close();
        await drop();
      },
    };
  },
});
