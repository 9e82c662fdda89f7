import { afterAll } from 'vitest';
import { storeContract } from '../contract/store.ts';
import { freshPlace, subjectsOf } from './postgres.ts';

const { url, drop } = await freshPlace();
afterAll(drop);

storeContract('postgres', true, subjectsOf(url));
