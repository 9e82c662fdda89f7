import { tmpdir } from 'node:os';
import path from 'node:path';
import { openLocal } from '../../src/backend/local/index.ts';
import { openStore } from '../../src/store/open.ts';
import { scratch } from '../scratch.ts';
import { backendContract } from './backend.ts';

backendContract('local on memory', {
  async open() {
    const store = await openStore({ url: 'memory:', durability: 'full', dataDir: tmpdir() });
    const backend = openLocal({ store });
    return { backend, app: 'contract', close: () => backend.close() };
  },
});

backendContract('local on a sqlite file', {
  async open() {
    const dir = scratch();
    const store = await openStore({
      url: `sqlite:${path.join(dir, 'data.db')}`,
      durability: 'full',
      dataDir: dir,
    });
    const backend = openLocal({ store });
    return {
      backend,
      app: 'contract',
      close: () => backend.close(),
    };
  },
});
