import { defineConfig } from 'vitest/config';

/** Tests that need a real Postgres or Redis; `npm run test:services` starts both. */
export default defineConfig({
  test: {
    globalSetup: ['test/setup.ts'],
    include: ['test/services/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 2,
  },
});
