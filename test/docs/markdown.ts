import { globSync, readFileSync } from 'node:fs';

export interface Block {
  language: string;
  text: string;
}

/** Every page for people, with its path from the repository's root. */
export const pageNames = [
  'README.md',
  'CHANGELOG.md',
  'CONTRIBUTING.md',
  'SECURITY.md',
  ...globSync('docs/**/*.md'),
  ...globSync('skills/**/*.md'),
].sort();

export const pageText = (name: string): string => readFileSync(name, 'utf8');

/** The code blocks of a page, in order, without the indentation of a list that they stand in. */
export function blocksOf(page: string): Block[] {
  return [...page.matchAll(/^( *)```(\w*)\n(.*?)^\1```$/gms)].map(
    ([, indent = '', language = '', text = '']) => ({
      language,
      text: text.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
    }),
  );
}

/** The texts of the blocks in one language. */
export const textsOf = (page: string, language: string): string[] =>
  blocksOf(page).flatMap((block) => (block.language === language ? [block.text] : []));

/** The address that GitHub gives a heading. */
export const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(' ', '-');
