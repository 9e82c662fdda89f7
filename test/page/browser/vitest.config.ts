import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** npm run test:page: the session page in a real Chromium. */
export default defineConfig({
  root: fileURLToPath(new URL('../../..', import.meta.url)),
  test: {
    globalSetup: ['test/setup.ts'],
    include: ['test/page/browser/*.page.ts'],
    testTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    hookTimeout: 120_000,
    // Each file has a browser of its own, and two fill the machines this runs on.
    maxWorkers: 2,
  },
});
