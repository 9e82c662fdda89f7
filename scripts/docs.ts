import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { configurationPage } from './docs/configuration.ts';
import { bundleManifest, serverJson } from './docs/packaging.ts';
import { readmePage } from './docs/readme.ts';
import { toolsPage } from './docs/tools.ts';

/** The pages and manifests that are made from the source, by their paths. Run it with `npm run docs`. */
export const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  'README.md': readmePage,
  'docs/tools.md': toolsPage,
  'docs/configuration.md': configurationPage,
  'server.json': serverJson,
  'packaging/mcpb/manifest.json': bundleManifest,
};

export const pathOf = (page: string): string => fileURLToPath(new URL(`../${page}`, import.meta.url));

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const [page, make] of Object.entries(pages)) writeFileSync(pathOf(page), await make());
