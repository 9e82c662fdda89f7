import { fileURLToPath } from 'node:url';

/** Inside node_modules, so that what is not bundled is found from there. */
export const bundle = fileURLToPath(
  new URL('../../node_modules/.cache/agent-sessions-mcp/main.js', import.meta.url),
);
