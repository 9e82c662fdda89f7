import { accessSync, constants, existsSync, statfsSync, statSync } from 'node:fs';
import path from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { recordCheck } from '../backend/local/record-check.ts';
import type { Config } from '../config/index.ts';
import { quote, SessionError } from '../errors.ts';
import { sizeOf } from '../model/sizes.ts';
import { halfCopy } from '../store/copy.ts';
import { copyKey } from '../store/keys.ts';
import { isNewFile, lookAtStore, placeOf } from '../store/open.ts';
import { type Inspection, inspect, rowsOf, withStoreFile } from '../store/sqlite/inspect.ts';
import { type Finding, fail, note, ok } from './doctor-finding.ts';

/** Damaged records that are named at most. */
const listed = 20;

/** Bytes below which the disk counts as nearly full. */
const littleRoom = 100_000_000;

/**
 * What there is to say of the local store before it is opened. It is not changed.
 * @throws SessionError when it cannot be looked at
 */
export async function checkStore({ store }: Config): Promise<Finding[]> {
  const place = placeOf(store);
  if (place.engine === 'memory')
    return [
      note(
        'The store is in memory: all sessions are gone when the server ends.',
        'Name a file with --store sqlite:PATH to keep them.',
      ),
    ];
  if (place.engine !== 'sqlite') return checkService(store, place.engine);
  if (isNewFile(place)) {
    const text = `store: new, at ${place.path}: the server makes it at its first start`;
    return [ok(text), ...checkFolder(place.path), ...checkDisk(place.path)];
  }
  const { inspection, damaged, isHalfCopy } = await withStoreFile(place.path, (db) => {
    const inspection = inspect(db, { thorough: false });
    // Rows of a file with damaged pages cannot all be read.
    return { inspection, ...(inspection.problems.length > 0 ? nothingRead : readRecords(db)) };
  });
  if (isHalfCopy) return [fail(halfCopy(place.path))];
  return [...findingsOf(inspection, place.path), ...checkRecords(damaged), ...checkDisk(place.path)];
}

const answers = {
  new: 'it answers; the server makes its tables at its first start',
  older: 'it answers; the next start brings it up to date, and older programs cannot open it then',
  current: 'it answers',
  unknown: 'its adapter is there; only the server opens it, since adapters make what they need',
} as const;

/** A store that is no file: whether it can be opened, and what its engine does not promise. */
async function checkService(config: Config['store'], engine: string): Promise<Finding[]> {
  const look = await lookAtStore(config);
  if (look === undefined) return [];
  const { location, state, isHalfCopy, limits } = look;
  if (isHalfCopy) return [fail(halfCopy(location))];
  const hint = 'docs/scaling.md tells what each engine promises.';
  return [
    ok(`store: ${engine}, at ${location}: ${answers[state]}`),
    ...limits.map((text) => note(text, hint)),
  ];
}

function findingsOf(found: Inspection, location: string): Finding[] {
  const { version, currentVersion, problems, entries, bytes, freeBytes, shrinks } = found;
  const size = `${entries.toLocaleString('en')} entries, ${sizeOf(bytes)}, of which ${sizeOf(freeBytes)} are free`;
  const findings = [ok(`store: existing, at ${location}: ${size}`)];
  if (version === currentVersion) findings.push(ok(`store version: ${version}, the current one`));
  else
    findings.push(
      note(
        `The store has version ${version}; the next start brings it to version ${currentVersion}, and older programs cannot open it then.`,
        'Make a backup first if you may want to go back: agent-sessions-mcp backup FILE.',
      ),
    );
  if (problems.length === 0) findings.push(ok('store integrity: no page is damaged'));
  else
    findings.push(
      fail(
        new SessionError('FAILED_PRECONDITION', `The store is damaged: ${problems[0]}`, {
          hint: 'Stop its servers, move the file away together with its -wal and -shm files, and restore a backup: agent-sessions-mcp restore FILE.',
          cause: problems,
        }),
      ),
    );
  if (version === currentVersion && !shrinks)
    findings.push(
      note(
        'The file was made by the first version: its free space may still hold what was deleted.',
        'Stop its servers, make a backup, move the file away, and restore the backup.',
      ),
    );
  return findings;
}

const nothingRead = { damaged: [], isHalfCopy: false };

function readRecords(db: DatabaseSync): { damaged: readonly string[]; isHalfCopy: boolean } {
  const check = recordCheck();
  const damaged: string[] = [];
  let isHalfCopy = false;
  for (const [key, value] of rowsOf(db, Date.now())) {
    if (key === copyKey) isHalfCopy = true;
    const record = check(key, value);
    if (record !== undefined) damaged.push(record);
  }
  return { damaged, isHalfCopy };
}

function checkRecords(damaged: readonly string[]): Finding[] {
  const [first, ...more] = damaged;
  if (first === undefined) return [ok('store records: none is damaged')];
  const shown = more.slice(0, listed - 1);
  const rest = more.length > shown.length ? `, and ${more.length - shown.length} more` : '';
  const text = [first, ...shown].map(quote).join(', ') + rest;
  const many = damaged.length === 1 ? 'One record is' : `${damaged.length} records are`;
  return [
    fail(
      new SessionError('FAILED_PRECONDITION', `${many} damaged: ${text}.`, {
        hint: 'Delete them with the tools that delete a session, an event or a memory, or restore a backup made before the damage.',
      }),
    ),
  ];
}

/** The folder of the store, or the nearest one above it that there is. */
function folderOf(location: string): string {
  let folder = path.dirname(location);
  while (!existsSync(folder)) folder = path.dirname(folder);
  return folder;
}

/** Whether a new store can be made, found out without making it. */
function checkFolder(location: string): Finding[] {
  const folder = folderOf(location);
  try {
    if (!statSync(folder).isDirectory()) throw new Error('It is not a folder.');
    accessSync(folder, constants.W_OK);
    return [];
  } catch (cause) {
    const error = new SessionError('FAILED_PRECONDITION', `The store cannot be made under ${folder}.`, {
      hint: 'Check the path and its permissions, or choose another with --store.',
      cause,
    });
    return [fail(error)];
  }
}

function checkDisk(location: string): Finding[] {
  const folder = folderOf(location);
  const { bavail, bsize } = statfsSync(folder);
  const free = bavail * bsize;
  if (free >= littleRoom) return [ok(`disk of the store: ${sizeOf(free)} free`)];
  return [
    fail(
      new SessionError('RESOURCE_EXHAUSTED', `The disk of the store has only ${sizeOf(free)} left.`, {
        hint: 'Free some space: on a full disk nothing can be written.',
      }),
    ),
  ];
}
