import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Config } from '../config/index.ts';
import { invalidArgument, SessionError } from '../errors.ts';
import { checkId } from '../model/ids.ts';
import { addToken } from '../server/auth/add-token.ts';
import { endpointUrl } from '../server/http/listener.ts';
import { placeOf, type StorePlace } from '../store/open.ts';
import type { Call } from './command.ts';
import { type Connection, commandLine, type HostEntry, hostEntry } from './host-entries.ts';
import { type HostName, hostNames } from './host-names.ts';
import { openQuestions } from './questions.ts';

interface Values {
  yes: boolean;
  transport: 'stdio' | 'http';
  client: HostName | undefined;
}

interface Answers {
  transport: 'stdio' | 'http';
  user: string;
  store: string;
  hosts: readonly HostName[];
}

const usualFile = 'agent-sessions-mcp.json';

/** Writes a configuration file after a few questions, and prints what the host needs. Overwrites nothing. */
export async function init(call: Call<Values>): Promise<number> {
  const { config, io, operands } = call;
  const file = path.resolve(operands[0] || usualFile);
  const tokensFile = `${file.replace(/\.json$/, '')}.tokens.json`;
  checkFree(file);
  const answers = await answersOf(call);
  const http = answers.transport === 'http' ? httpOf(config, tokensFile) : undefined;
  if (http !== undefined) checkFree(tokensFile);
  await writeNew(file, `${JSON.stringify(contentOf(config, answers, http), undefined, 2)}\n`);
  const start = [...launcherOf(io.program), ...(http === undefined ? [] : ['http']), '--config', file];
  const [command = '', ...args] = start;
  let to: Connection = { transport: 'stdio', command, args };
  if (http !== undefined) {
    const entry = { user: answers.user, scopes: ['sessions:read', 'sessions:write'] as const };
    const token = await addToken(tokensFile, entry).catch(async (error: unknown) => {
      // A configuration without its tokens starts no server.
      await rm(file, { force: true });
      throw error;
    });
    to = { transport: 'http', url: config.http.publicUrl ?? endpointUrl(config.http), token };
  }
  io.report(`Wrote ${file}${http === undefined ? '' : ` and ${tokensFile}`}.\n`);
  const remote = config.backends.filter((name) => name !== 'local');
  if (remote.length > 0)
    io.report(`What ${remote.join(' and ')} need is not in it: give it to the server in its environment.\n`);
  if (http !== undefined) {
    io.report('The token below is stored nowhere else: only its hash was written.\n');
    io.print(`# Start the server\n${commandLine(start, io.machine.platform)}\n\n`);
  }
  const entries = answers.hosts.map((host) => hostEntry(host, to, io.machine.platform));
  io.print(entries.map(entryPage).join('\n'));
  return 0;
}

const entryPage = ({ title, where, text, link }: HostEntry): string =>
  `# ${title}: ${where}\n${text}\n${link === undefined ? '' : `# or open\n${link}\n`}`;

async function answersOf({ config, values, io }: Call<Values>): Promise<Answers> {
  const place = placeOf(config.store);
  const usual: Answers = {
    transport: values.transport,
    user: config.user,
    store: addressOf(place),
    hosts: values.client === undefined ? hostNames : [values.client],
  };
  if (values.yes) return usual;
  const questions = openQuestions(io);
  try {
    const { ask } = questions;
    const transport = await ask('Transport, stdio or http', usual.transport, (text) =>
      oneOf(['stdio', 'http'] as const, text),
    );
    const user = await ask('User who owns the sessions', usual.user, (text) => checkId('The user', text));
    const store = !config.backends.includes('local')
      ? usual.store
      : await ask('Store', usual.store, (text) => storeOf(text, config));
    const all = ['all', ...hostNames] as const;
    const host = await ask(`Host, one of ${all.join(', ')}`, values.client ?? 'all', (text) =>
      oneOf(all, text),
    );
    return { transport, user, store, hosts: host === 'all' ? hostNames : [host] };
  } finally {
    questions.close();
  }
}

function oneOf<T extends string>(all: readonly T[], text: string): T {
  const found = all.find((one) => one === text.toLowerCase());
  if (found === undefined) throw invalidArgument('That is not one of them.', `Write ${all.join(', ')}.`);
  return found;
}

/** With an absolute path: the host starts the server in a folder of its own. */
const storeOf = (text: string, { store }: Config): string => addressOf(placeOf({ ...store, url: text }));

function addressOf(place: StorePlace): string {
  switch (place.engine) {
    case 'memory':
      return 'memory:';
    case 'sqlite':
      return `sqlite:${place.path}`;
    default:
      return place.url;
  }
}

function httpOf({ http }: Config, tokensFile: string): object {
  if (http.port === 0)
    throw invalidArgument('Hosts need a port that stays the same.', 'Give --port a number other than 0.');
  return {
    ...{ host: http.host, port: http.port, path: http.path },
    ...(http.publicUrl === undefined ? {} : { publicUrl: http.publicUrl }),
    authTokens: tokensFile,
  };
}

/** Only what was decided; the rest keeps its default of whichever version reads the file. */
function contentOf(config: Config, { user, store }: Answers, http: object | undefined): object {
  const { backends, toolsets, readOnly, app } = config;
  return {
    ...(backends.join() === 'local' ? {} : { backend: backends }),
    ...(backends.includes('local') ? { store } : {}),
    ...(config.store.durability === 'full' ? {} : { durability: config.store.durability }),
    ...(app === 'default' ? {} : { app }),
    user,
    ...(toolsets === undefined ? {} : { toolsets }),
    ...(readOnly ? { readOnly } : {}),
    ...(http === undefined ? {} : { http }),
  };
}

/** The launcher where it is beside the program: it starts under any Node.js that a host has, now and later. */
function launcherOf(program: readonly string[]): readonly string[] {
  const entry = program.at(-1) ?? '';
  const launcher = path.join(path.dirname(entry), 'launcher.cjs');
  return path.basename(entry) === 'main.js' && existsSync(launcher) ? ['node', launcher] : program;
}

function checkFree(file: string): void {
  if (existsSync(file)) throw exists(file);
}

const exists = (file: string): SessionError =>
  new SessionError('ALREADY_EXISTS', `There is a file ${file} already.`, {
    hint: 'init overwrites nothing: name another file, or move this one away.',
  });

async function writeNew(file: string, text: string): Promise<void> {
  await writeFile(file, text, { flag: 'wx' }).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EEXIST') throw exists(file);
    throw new SessionError('FAILED_PRECONDITION', 'The configuration cannot be written.', {
      hint: 'Check that its folder exists and can be written to, or name another file.',
      cause,
    });
  });
}
