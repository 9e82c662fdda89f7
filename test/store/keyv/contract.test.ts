import { join } from 'node:path';
import { Keyv } from 'keyv';
import { KeyvFile } from 'keyv-file';
import { openLocal } from '../../../src/backend/local/index.ts';
import { openKeyvStore } from '../../../src/store/keyv/index.ts';
import { openStore } from '../../../src/store/open.ts';
import { backendContract } from '../../contract/backend.ts';
import { storeContract } from '../../contract/store.ts';
import { scratch } from '../../scratch.ts';

storeContract('keyv, a Keyv of the user’s own on a Map', false, async (now) => {
  const store = await openKeyvStore({ keyv: new Keyv(), location: 'map', now });
  return { store, dispose: () => store.close() };
});

storeContract('keyv, the adapter keyv-file', false, async (now) => {
  const keyv = new KeyvFile({ filename: join(scratch(), 'store'), separatedFile: true });
  const store = await openKeyvStore({ keyv, location: 'file', now });
  return { store, dispose: () => store.close() };
});

backendContract('local on keyv-file', {
  async open() {
    const folder = scratch();
    const query = new URLSearchParams({ filename: join(folder, 'store.json'), writeDelay: '1' });
    const store = await openStore({ url: `keyv:keyv-file?${query}`, durability: 'full', dataDir: folder });
    const backend = openLocal({ store });
    return { backend, app: 'contract', close: () => backend.close() };
  },
});
