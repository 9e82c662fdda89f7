import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { allTools } from '../../src/tools/index.ts';
import { code } from './markdown.ts';

const file = fileURLToPath(new URL('../../README.md', import.meta.url));
const table = /(?<=\n\| toolset \| tools \|\n\|---\|---\|\n)(?:\|.*\n)+/;
/** Listed only when their toolset is named in `--toolsets`. */
const onRequest: readonly string[] = ['create_app', 'delete_app'];

/** README, with its table of tools made from the catalogue. */
export function readmePage(): string {
  const rows = Object.entries(Object.groupBy(allTools, ({ toolset }) => toolset)).map(
    ([toolset, tools = []]) => {
      const names = tools.map(({ name }) => name);
      const usual = names.filter((name) => !onRequest.includes(name)).map(code);
      const more = names.filter((name) => onRequest.includes(name)).map(code);
      const also =
        more.length === 0 ? '' : `, and when named in ${code('--toolsets')} also ${more.join(' ')}`;
      return `| ${toolset === 'server' ? '–' : toolset} | ${usual.join(' ')}${also} |\n`;
    },
  );
  return readFileSync(file, 'utf8').replace(table, () => rows.join(''));
}
