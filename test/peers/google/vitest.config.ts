import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

/** Google's clients against the fake: `npx vitest run --config test/peers/google/vitest.config.ts`. */
export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  test: { include: ['*.peer.ts'], testTimeout: 60_000, hookTimeout: 60_000 },
});
