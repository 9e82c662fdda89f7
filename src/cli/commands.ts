import { bare, oneOf, setting, someOf, texts, whole } from '../config/setting.ts';
import { type AccessScope, accessScopes } from '../model/principal.ts';
import { type Command, defineCommand, StartFailure } from './command.ts';
import { type HostName, hostNames } from './host-names.ts';
import { serve } from './serve.ts';
import { exportCommand, importCommand } from './transfer.ts';

const json = setting({ flag: 'json', kind: bare, otherwise: false, help: 'print JSON Lines' });

const limit = { flag: 'limit', value: 'N' };

/** Every command, in the order of `--help`. The first is the default. */
export const commands: readonly Command[] = [
  defineCommand({
    name: 'stdio',
    help: 'serve one client over stdin and stdout (default)',
    serves: true,
    run: (call) =>
      serve(call, async (deps, principal) =>
        (await import('../server/stdio.ts')).startStdio(deps, principal, call.io),
      ),
  }),
  defineCommand({
    name: 'http',
    help: 'serve many clients over HTTP',
    serves: true,
    run: (call) =>
      serve(call, async (deps) =>
        (await import('../server/http/index.ts')).startHttp(deps, call.config.http, call.config.user),
      ),
  }),
  defineCommand({
    name: 'init',
    operands: ['[FILE]'],
    help: 'write a configuration file, for HTTP a token too, and print the entry for your host',
    settings: {
      yes: setting({ flag: 'yes', short: 'y', kind: bare, otherwise: false, help: 'ask nothing' }),
      transport: setting<'stdio' | 'http'>({
        flag: 'transport',
        value: 'stdio|http',
        kind: oneOf('stdio', 'http'),
        otherwise: 'stdio',
        help: 'how the host reaches the server',
      }),
      client: setting<HostName>({
        flag: 'client',
        value: 'NAME',
        kind: oneOf(...hostNames),
        help: `host whose entry to print: ${hostNames.join(', ')}; default: all`,
      }),
    },
    run: async (call) => (await import('./init.ts')).init(call),
  }),
  defineCommand({
    name: 'doctor',
    help: 'check everything that the server needs, and say what to fix, the most important first',
    settings: {
      json: setting({ flag: 'json', kind: bare, otherwise: false, help: 'print the report as JSON' }),
    },
    run: async (call) => (await import('./doctor.ts')).doctor(call),
    explain: async (faults, flags, io) =>
      (await import('./doctor.ts')).reportFaults(faults, flags.json !== undefined, io),
  }),
  defineCommand({
    name: 'list',
    help: 'print your sessions, the latest first',
    settings: {
      limit: setting({
        ...limit,
        kind: whole(1, 1_000_000),
        help: 'most sessions to print; default: all',
      }),
      json,
    },
    run: async (call) => (await import('./list.ts')).list(call),
  }),
  defineCommand({
    name: 'show',
    operands: ['SESSION'],
    help: 'print a session as a conversation',
    settings: {
      hidden: setting({ flag: 'hidden', kind: bare, otherwise: false, help: 'print hidden events too' }),
      json,
    },
    run: async (call) => (await import('./show.ts')).show(call),
  }),
  defineCommand({
    name: 'search',
    operands: ['WORDS…'],
    help: 'print your memories, and the events of your sessions, that match, the best first',
    settings: {
      limit: setting({
        ...limit,
        kind: whole(1, 100),
        otherwise: 10,
        help: 'most memories, and most events, to print',
      }),
      json,
    },
    run: async (call) => (await import('./search.ts')).search(call),
  }),
  defineCommand({
    name: 'open',
    operands: ['[SESSION]'],
    help: 'show your sessions in the browser, on a page of this machine, until Ctrl-C',
    settings: {
      noBrowser: setting({
        flag: 'no-browser',
        kind: bare,
        otherwise: false,
        help: 'start no browser, and print the address to open',
      }),
    },
    run: async (call) => (await import('./open.ts')).open(call),
  }),
  exportCommand,
  importCommand,
  defineCommand({
    name: 'backup',
    operands: ['FILE'],
    help: 'copy the local store to a file, also while it is in use',
    run: async (call) => (await import('./store-commands.ts')).backup(call),
  }),
  defineCommand({
    name: 'restore',
    operands: ['FILE'],
    help: 'restore a backup as the local store; an existing store is never replaced',
    run: async (call) => (await import('./store-commands.ts')).restore(call),
  }),
  defineCommand({
    name: 'copy-store',
    operands: ['FROM', 'TO'],
    help: 'copy a whole store to a new one on any engine, and compare them; run again, it goes on',
    run: async (call) => (await import('./copy-store.ts')).copyStoreCommand(call),
  }),
  defineCommand({
    name: 'add-token',
    operands: ['FILE'],
    help: 'create a token, add its entry to the file of --auth-tokens, and print the token',
    settings: {
      scopes: setting<readonly AccessScope[]>({
        flag: 'scopes',
        value: 'NAME[,NAME]',
        kind: someOf(...accessScopes),
        otherwise: ['sessions:read', 'sessions:write'],
        help: 'what the token allows: sessions:read, sessions:write, sessions:admin',
      }),
      agents: setting<readonly string[] | undefined>({
        flag: 'agents',
        value: 'NAME[,NAME]',
        kind: texts,
        otherwise: undefined,
        help: 'authors as which the token may write and take turns; default: any',
      }),
    },
    async run({ config, operands, values, io }) {
      const { addToken } = await import('../server/auth/add-token.ts');
      const entry = { user: config.user, scopes: values.scopes, agents: values.agents };
      io.print(`${await addToken(operands[0] ?? '', entry)}\n`);
      return 0;
    },
  }),
  defineCommand({
    name: 'hash-token',
    help: 'read a token from stdin and print its entry for --auth-tokens',
    async run({ config, io }) {
      const { tokenEntry } = await import('../server/auth/tokens.ts');
      let token = '';
      for await (const chunk of io.stdin) token += String(chunk);
      try {
        io.print(`${JSON.stringify(tokenEntry(token.trim(), config.user))}\n`);
      } catch (error) {
        throw new StartFailure(error);
      }
      return 0;
    },
  }),
];
