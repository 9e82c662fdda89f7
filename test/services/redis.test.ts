import { storeContract } from '../contract/store.ts';
import { redisSubject } from './redis.ts';

storeContract('redis', true, redisSubject);
