import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A new folder, with a space in its name as people have them. It goes when the run of tests ends: see setup.ts. */
export const scratch = (): string => mkdtempSync(path.join(tmpdir(), 'agent sessions '));
