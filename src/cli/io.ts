import type { Readable, Writable } from 'node:stream';
import type { Machine } from '../config/index.ts';

/** The process, as the command line needs it. */
export interface Io {
  argv: readonly string[];
  /** The command that starts this program, with what comes before its own arguments. */
  program: readonly string[];
  nodeVersion: string;
  machine: Machine;
  stdin: Readable;
  stdout: Writable;
  print(text: string): void;
  report(text: string): void;
  onSignal(stop: () => void): void;
  /** Whether a person reads what is reported. */
  isTerminal: boolean;
  exit(code: number): void;
}
