import { tmpdir } from 'node:os';
import path from 'node:path';
import { Keyv } from 'keyv';
import { openKeyvStore } from '../../src/store/keyv/index.ts';
import { openStore } from '../../src/store/open.ts';
import { scratch } from '../scratch.ts';
import { meaningContract } from './meaning.ts';

meaningContract('sqlite', () =>
  openStore({ url: `sqlite:${path.join(scratch(), 'data.db')}`, durability: 'normal', dataDir: tmpdir() }),
);

meaningContract('keyv', () => openKeyvStore({ keyv: new Keyv(), location: 'map' }));
