import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: ['test/setup.ts'],
    include: ['test/**/*.test.ts'],
    exclude: ['test/peers/**', 'test/services/**', 'node_modules/**'],
    testTimeout: 30_000,
    hookTimeout: 30_000,
    // Several tests start processes of their own and kill them; more workers only make them wait.
    maxWorkers: 2,
  },
});
