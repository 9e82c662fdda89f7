import { existsSync } from 'node:fs';
import path from 'node:path';
import { expect, it } from 'vitest';
import { anchorOf, pageNames, pageText } from './markdown.ts';

const withoutCode = (page: string): string =>
  page.replaceAll(/^( *)```.*?^\1```$/gms, '').replaceAll(/`[^`\n]*`/g, '');

it.each(pageNames)('%s links to pages and headings that there are', (name) => {
  const links = [...withoutCode(pageText(name)).matchAll(/\]\((?!https?:)([^)\s]+)\)/g)];
  const missing = links.flatMap(([, link = '']) => {
    const [file = '', anchor] = link.split('#');
    const target = file === '' ? name : path.join(path.dirname(name), file);
    if (!existsSync(target)) return [link];
    if (anchor === undefined) return [];
    // The code in a heading is a part of its address.
    const headings = [...pageText(target).matchAll(/^#+ (.*)$/gm)].map(([, text = '']) => anchorOf(text));
    return headings.includes(anchor) ? [] : [link];
  });
  expect(missing).toEqual([]);
});

it('docs/README.md names every page of docs', () => {
  const index = pageText('docs/README.md');
  const pages = pageNames.filter((name) => /^docs\/(?!README|protocols|contributing)/.test(name));
  expect(pages.length).toBeGreaterThan(10);
  expect(pages.filter((name) => !index.includes(`](${name.slice('docs/'.length)})`))).toEqual([]);
});
