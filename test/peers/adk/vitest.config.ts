import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: fileURLToPath(new URL('.', import.meta.url)),
    // The servers of ours are the shipped bundle, as it is now.
    globalSetup: fileURLToPath(new URL('../../setup.ts', import.meta.url)),
    include: ['*.peer.ts'],
    testTimeout: 120_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});
