/** The hosts whose configuration `init` can write out. */
export const hostNames = [
  'claude-code',
  'claude-desktop',
  'cursor',
  'vscode',
  'gemini-cli',
  'codex',
] as const;
export type HostName = (typeof hostNames)[number];
