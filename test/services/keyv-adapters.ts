import { randomBytes } from 'node:crypto';
import path from 'node:path';

const folder = path.join(import.meta.dirname, '..', 'peers', 'keyv', 'node_modules', '@keyv');

function service(variable: string): string {
  const url = process.env[variable];
  if (url === undefined) throw new Error(`${variable} is not set: run npm run test:services.`);
  return encodeURIComponent(url);
}

const fresh = () => `t${randomBytes(6).toString('hex')}`;

/** Addresses of new, empty stores on adapters that others wrote and published. */
export const adapters: Readonly<Record<string, () => string>> = {
  '@keyv/redis': () =>
    `keyv:${folder}/redis/dist/index.js?url=${service('TEST_REDIS_URL')}&namespace=${fresh()}`,
  '@keyv/postgres': () =>
    `keyv:${folder}/postgres/dist/index.js?uri=${service('TEST_POSTGRES_URL')}&table=${fresh()}&iterationLimit=1000`,
};
