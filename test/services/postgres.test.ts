import { storeContract } from '../contract/store.ts';
import { postgresSubject } from './postgres.ts';

storeContract('postgres', true, postgresSubject);
