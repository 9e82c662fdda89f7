import { defineConfig } from 'vitest/config';

// Without a configuration of its own, this folder would take the one of the repository.
export default defineConfig({ test: { include: ['*.test.ts'] } });
