import type { Machine } from '../config/index.ts';

/** The process, as the command line needs it. */
export interface Io {
  argv: readonly string[];
  nodeVersion: string;
  machine: Machine;
  stdin: AsyncIterable<Uint8Array | string>;
  print(text: string): void;
  report(text: string): void;
  onSignal(stop: () => void): void;
  exit(code: number): void;
}
