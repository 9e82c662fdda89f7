import type { Config } from '../config/index.ts';
import { invalidArgument, SessionError } from '../errors.ts';
import { type CopyProgress, copyStore, refuseHalfCopy } from '../store/copy.ts';
import { isNewFile, lookAtStore, openStore, placeOf } from '../store/open.ts';
import type { Store } from '../store/types.ts';
import type { Call } from './command.ts';

/** Milliseconds between two lines of progress. */
const reportEvery = 1000;

/** Copies one store to another, whatever their engines, and compares them. */
export async function copyStoreCommand({ config, operands, io }: Call<unknown>): Promise<number> {
  const [from = '', to = ''] = operands;
  await checkSource(config, from);
  checkTarget(config, to);
  const source = await openStore({ ...config.store, url: from });
  try {
    await refuseHalfCopy(source);
    const target = await openStore({ ...config.store, url: to });
    try {
      await copyAndReport(source, target, io);
    } finally {
      await target.close();
    }
  } finally {
    await source.close();
  }
  return 0;
}

async function copyAndReport(source: Store, target: Store, io: Call<unknown>['io']): Promise<void> {
  const count = (n: number) => n.toLocaleString('en');
  let reported = performance.now();
  const progress = ({ phase, entries }: CopyProgress) => {
    if (performance.now() - reported < reportEvery) return;
    reported = performance.now();
    io.report(`${phase === 'copying' ? 'Copied' : 'Compared'} ${count(entries)} entries …\n`);
  };
  const { entries, digest, found } = await copyStore(source, target, progress);
  if (found > 0)
    io.report(`An earlier run had copied ${count(found)} entries; this one went on from there.\n`);
  const both = `${source.engine} at ${source.location} to ${target.engine} at ${target.location}`;
  io.print(`Copied ${count(entries)} entries from ${both}: the same in both, SHA-256 ${digest}.\n`);
}

/** A source that opening would make is a mistyped one. */
async function checkSource({ store }: Config, url: string): Promise<void> {
  const place = placeOf({ ...store, url });
  if (place.engine === 'memory') throw noMemory();
  if (place.engine === 'sqlite') {
    if (isNewFile(place)) throw noSource(place.path);
    return;
  }
  const look = await lookAtStore({ ...store, url });
  if (look?.state === 'new') throw noSource(look.location);
}

const noSource = (location: string): SessionError =>
  new SessionError('FAILED_PRECONDITION', `There is no store at ${location}.`, {
    hint: 'Check the address of FROM. Nothing was made there.',
  });

function checkTarget({ store }: Config, url: string): void {
  if (placeOf({ ...store, url }).engine === 'memory') throw noMemory();
}

const noMemory = (): SessionError =>
  invalidArgument('A store in memory can be neither copied nor copied to.', 'Name stores that stay.');
