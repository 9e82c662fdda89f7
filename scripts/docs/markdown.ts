/** A table of Markdown. Columns that are empty in all rows are left out. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const used = head.map((_, column) => rows.some((row) => (row[column] ?? '') !== ''));
  const line = (cells: readonly string[]) =>
    `| ${cells
      .filter((_, column) => used[column])
      .map(cell)
      .join(' | ')} |`;
  return [
    line(head),
    line(head.map(() => '---')),
    ...rows.map((row) => line(head.map((_, i) => row[i] ?? ''))),
  ];
}

/** A bar would end the cell, also inside code. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

export const code = (text: string): string => `\`${text}\``;

/** The text with a full stop. */
export const closed = (text: string): string => (text === '' || /[.:]$/.test(text) ? text : `${text}.`);

/** The text as a sentence of its own. What it begins with stays as it is when that is a name or a value. */
export function sentence(text: string): string {
  const isWord = /^[a-z]+(?![\w:,])/.test(text);
  return closed(isWord ? text.charAt(0).toUpperCase() + text.slice(1) : text);
}
