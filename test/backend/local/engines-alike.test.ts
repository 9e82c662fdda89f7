import Keyv from 'keyv';
import { openKeyvStore } from '../../../src/store/keyv/index.ts';
import { openSqlite } from '../../../src/store/sqlite/index.ts';
import { enginesAlike } from '../../contract/engines-alike.ts';

enginesAlike({
  sqlite: (now) => openSqlite({ path: ':memory:', durability: 'normal', now }),
  keyv: (now) => openKeyvStore({ keyv: new Keyv(), location: 'map', now }),
});
