import path from 'node:path';
import type { Config } from '../config/index.ts';
import { invalidArgument, SessionError } from '../errors.ts';
import { sizeOf } from '../model/sizes.ts';
import { placeOf } from '../store/open.ts';
import { backupStore, restoreStore } from '../store/sqlite/backup.ts';
import type { Inspection } from '../store/sqlite/inspect.ts';
import type { Call } from './command.ts';

/** Copies the configured store to a file. */
export async function backup({ config, operands, io }: Call<unknown>): Promise<number> {
  const file = operandOf(operands);
  const inspection = await backupStore(storePath(config), file);
  io.print(`Backed up to ${file}: ${summary(inspection)}, checked and on the disk.\n`);
  return 0;
}

/** Makes a backup the configured store, where there is none yet. */
export async function restore({ config, operands, io }: Call<unknown>): Promise<number> {
  const target = storePath(config);
  const inspection = await restoreStore(operandOf(operands), target);
  io.print(`Restored to ${target}: ${summary(inspection)}, checked and on the disk.\n`);
  return 0;
}

const operandOf = ([file = '']: readonly string[]): string => {
  if (file === '') throw invalidArgument('The path of the backup is empty.', 'Give the path of a file.');
  return path.resolve(file);
};

function storePath({ store }: Config): string {
  const place = placeOf(store);
  if (place.engine === 'sqlite') return place.path;
  if (place.engine !== 'memory')
    throw new SessionError('FAILED_PRECONDITION', `The store at ${place.location} is not a file.`, {
      hint: 'Back it up as its database is backed up.',
    });
  throw new SessionError('FAILED_PRECONDITION', 'A store in memory ends with its server and has no file.', {
    hint: 'Name the file with --store sqlite:PATH.',
  });
}

const summary = ({ entries, bytes }: Inspection): string =>
  `${entries.toLocaleString('en')} entries, ${sizeOf(bytes)}`;
