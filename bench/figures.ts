/**
 * npm run bench -- figures: runs the benchmarks and writes what they say to docs/benchmarks.md, with their growth curves as
 * SVG beside it. For a quiet machine; it takes about half an hour. BENCH_FIGURES names those to run, by commas.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import path from 'node:path';
import { drawing } from './drawing.ts';
import { machineName, report, type Section } from './tools.ts';

const names = (process.env.BENCH_FIGURES ?? 'local,turns,indexing,http,erasure,peers').split(',');
const docs = path.join(import.meta.dirname, '..', 'docs');

export default async function run(): Promise<void> {
  const parts: string[] = [];
  const drawings = new Map<string, string>();
  for (const name of names) {
    const from = report.length;
    const { default: measure } = (await import(`./${name}.ts`)) as { default: () => Promise<void> };
    await measure();
    parts.push(chapter(name, report.slice(from), drawings));
  }
  const folder = path.join(docs, 'benchmarks');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [file, svg] of drawings) writeFileSync(path.join(folder, file), svg);
  writeFileSync(path.join(docs, 'benchmarks.md'), `${introduction()}\n${parts.join('\n')}`);
}

function introduction(): string {
  const { version } = JSON.parse(readFileSync(path.join(docs, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const memory = Math.round(totalmem() / 1024 ** 3);
  return `# Benchmarks

Made by \`npm run bench -- figures\`, and not by hand: agent-sessions-mcp ${version} on ${new Date().toISOString().slice(0, 10)}, ${machineName()}, ${memory} GB.

Each table compares things side by side in one run. Read the ratios; rates depend on the machine, and those of durable writes on
how long its disk takes to confirm one. "×" without more is the ratio to the first row of its kind, "target" what we hold it to.
`;
}

/** The sections of one benchmark. Adds its drawings to `drawings`, by their file names. */
export function chapter(name: string, sections: readonly Section[], drawings: Map<string, string>): string {
  return sections
    .map(({ title, rows, curves }) => {
      const table = rows.map(
        ({ what, figures, target }) => `| ${[what, figures, target].map(cell).join(' | ')} |`,
      );
      const images = curves.map((one) => {
        const file = `${name}-${slug(one.title)}.svg`;
        drawings.set(file, drawing(one));
        return `\n![${one.title}](benchmarks/${file})\n`;
      });
      return `## ${title}\n\n| what | figures | target |\n|---|---|---|\n${table.join('\n')}\n${images.join('')}`;
    })
    .join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|');
const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
