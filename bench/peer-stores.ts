/** Other stores for the sessions of agents, each opened for one conversation. Their packages are in bench/peers. */
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { rawStdio, scratch } from './tools.ts';

/** What every event of the conversation says: some 300 bytes. */
export const text =
  'The quick brown fox jumps over the lazy dog, and then it writes about it in some three hundred bytes. '.repeat(
    3,
  );

/** One conversation in one store. */
export interface Peer {
  name: string;
  /** Events that `fill` adds at a time, between two looks at the clock. */
  fillStep: number;
  append(i: number): Promise<unknown>;
  /** Events `from` to before `to`, as fast as the store takes them. */
  fill(from: number, to: number): Promise<void>;
  /** Reads the whole conversation. Resolves to the number of its events. */
  read(): Promise<number>;
  close(): Promise<void>;
}

const installed = createRequire(new URL('./peers/package.json', import.meta.url));

// The packages are not installed where types are checked, so the calls are described here.
async function load<T>(name: string): Promise<T> {
  return (await import(pathToFileURL(installed.resolve(name)).href)) as T;
}

const oneByOne = (append: Peer['append']) => async (from: number, to: number) => {
  for (let i = from; i < to; i += 1) await append(i);
};

interface AdkSession {
  id: string;
  events: unknown[];
}
interface AdkEvent {
  id: string;
  invocationId: string;
  timestamp: number;
}
interface AdkService {
  createSession(at: object): Promise<AdkSession>;
  getSession(at: object): Promise<AdkSession>;
  appendEvent(request: object): Promise<unknown>;
}
interface AdkDatabase extends AdkService {
  init(): Promise<void>;
  orm: {
    em: { fork(): { insertMany(entity: string, rows: object[]): Promise<unknown> } };
    close(): Promise<void>;
  };
}
interface Adk {
  InMemorySessionService: new () => AdkService;
  DatabaseSessionService: new (options: object) => AdkDatabase;
  createEvent(fields: object): AdkEvent;
}

const owner = { appName: 'bench', userId: 'u' };

const adkEvent = ({ createEvent }: Adk, i: number): AdkEvent =>
  createEvent({ author: 'user', invocationId: `i${i}`, content: { role: 'user', parts: [{ text }] } });

export async function openAdkMemory(): Promise<Peer> {
  const library = await load<Adk>('@google/adk');
  const service = new library.InMemorySessionService();
  const session = await service.createSession(owner);
  const append = (i: number) => service.appendEvent({ session, event: adkEvent(library, i) });
  return {
    name: 'ADK InMemorySessionService in process',
    fillStep: 100,
    append,
    fill: oneByOne(append),
    read: async () => (await service.getSession({ ...owner, sessionId: session.id })).events.length,
    close: async () => {},
  };
}

/** As durable as ours: SQLite's rollback journal with synchronous FULL, which nothing in ADK changes. */
export async function openAdkDatabase(): Promise<Peer> {
  const library = await load<Adk>('@google/adk');
  const { LibSqlDriver } = await load<{ LibSqlDriver: unknown }>('@mikro-orm/libsql');
  const service = new library.DatabaseSessionService({
    driver: LibSqlDriver,
    dbName: path.join(scratch(), 'adk.db'),
  });
  await service.init();
  let session = await service.createSession(owner);
  const at = { ...owner, sessionId: session.id };
  return {
    name: 'ADK DatabaseSessionService in process, SQLite (libsql), durable',
    // SQLite takes 32,766 values in one statement.
    fillStep: 4000,
    append: (i) => service.appendEvent({ session, event: adkEvent(library, i) }),
    // One event at a time, 20,000 would take several minutes.
    async fill(from, to) {
      const rows = Array.from({ length: to - from }, (_, i) => {
        const event = adkEvent(library, from + i);
        const { id, invocationId, timestamp } = event;
        return { ...at, id, invocationId, timestamp: new Date(timestamp), eventData: event };
      });
      await service.orm.em.fork().insertMany('StorageEvent', rows);
      session = await service.getSession(at);
    },
    read: async () => (await service.getSession(at)).events.length,
    // The service has no close of its own, and its connections keep the process alive.
    close: () => service.orm.close(),
  };
}

/** A graph of entities in a file: each event is one. */
export async function openServerMemory(): Promise<Peer> {
  process.env.MEMORY_FILE_PATH = path.join(scratch(), 'memory.jsonl');
  const file = path.join(
    path.dirname(installed.resolve('@modelcontextprotocol/server-memory/package.json')),
    'dist/index.js',
  );
  const client = rawStdio(file, []);
  const entity = (i: number) => ({ name: `event-${i}`, entityType: 'message', observations: [text] });
  const create = (entities: object[]) => client.call('create_entities', { entities });
  return {
    name: '@modelcontextprotocol/server-memory over MCP, a file without fsync',
    fillStep: 1000,
    append: (i) => create([entity(i)]),
    fill: async (from, to) =>
      void (await create(Array.from({ length: to - from }, (_, i) => entity(from + i)))),
    async read() {
      const graph = await client.call('read_graph');
      return (graph.entities as unknown[]).length;
    },
    close: async () => client.close(),
  };
}

interface Saver {
  put(config: object, checkpoint: object, metadata: object, versions: object): Promise<object>;
  getTuple(config: object): Promise<{ checkpoint: { channel_values: { messages: unknown[] } } }>;
}

/** Every step writes a checkpoint with all messages so far, as a graph with a list of messages does. */
export async function openLangGraph(): Promise<Peer> {
  const { SqliteSaver } = await load<{ SqliteSaver: new (db: object) => Saver }>(
    '@langchain/langgraph-checkpoint-sqlite',
  );
  const { emptyCheckpoint, uuid6 } = await load<{ emptyCheckpoint(): object; uuid6(step: number): string }>(
    '@langchain/langgraph-checkpoint',
  );
  // In place of better-sqlite3, with the same calls: it needs no compiler.
  const { default: Database } = await load<{ default: new (file: string) => object }>('libsql');
  const saver = new SqliteSaver(new Database(path.join(scratch(), 'graph.db')));
  const messages: object[] = [];
  let config: object = { configurable: { thread_id: 't', checkpoint_ns: '' } };
  const put = async () => {
    const checkpoint = { ...emptyCheckpoint(), id: uuid6(messages.length), channel_values: { messages } };
    const metadata = { source: 'loop', step: messages.length, parents: {} };
    config = await saver.put(config, checkpoint, metadata, {});
  };
  const say = () => messages.push({ type: 'human', content: text });
  return {
    name: 'LangGraph SqliteSaver in process, durable',
    fillStep: 100_000,
    async append() {
      say();
      await put();
    },
    // One checkpoint has all: that of every step would fill the disk.
    async fill(from, to) {
      for (let i = from; i < to; i += 1) say();
      await put();
    },
    read: async () => (await saver.getTuple(config)).checkpoint.channel_values.messages.length,
    close: async () => {},
  };
}

export async function openOpenAiAgents(): Promise<Peer> {
  const { MemorySession } = await load<{
    MemorySession: new () => { addItems(items: object[]): Promise<void>; getItems(): Promise<unknown[]> };
  }>('@openai/agents-core');
  const session = new MemorySession();
  const append = () => session.addItems([{ type: 'message', role: 'user', content: text }]);
  return {
    name: 'OpenAI Agents MemorySession in process',
    fillStep: 1000,
    append,
    fill: oneByOne(append),
    read: async () => (await session.getItems()).length,
    close: async () => {},
  };
}
