import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { scratch } from '../scratch.ts';

/** A file for --config that binds agents to apps. */
export function agentsFile(agents: Record<string, unknown>): string {
  const file = path.join(scratch(), 'config.json');
  writeFileSync(file, JSON.stringify({ agents }));
  return file;
}
