import { Client as ModernClient } from '@modelcontextprotocol/client';
import { StdioClientTransport as ModernStdio } from '@modelcontextprotocol/client/stdio';
import { Client as OldClient } from '@modelcontextprotocol/sdk/client/index.js';
import { StdioClientTransport as OldStdio } from '@modelcontextprotocol/sdk/client/stdio.js';
import {
  CallToolResultSchema,
  ElicitRequestSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { scratch } from '../scratch.ts';
import { bundle } from './bundle.ts';

/** The official clients: the current SDK on both protocol eras, and the one of the maintenance line. */
export const clientKinds = ['v2-modern', 'v2-legacy', 'v1'] as const;
export type ClientKind = (typeof clientKinds)[number];

export type Json = Record<string, unknown>;

interface ToolAnswer {
  isError: boolean;
  structured: Json;
  /** The first text of the content, parsed. */
  text: Json;
  links: { uri: string; name: string }[];
}

export interface TestClient {
  call(
    name: string,
    args?: Json,
    options?: { onProgress?: (message: string) => void; signal?: AbortSignal },
  ): Promise<ToolAnswer>;
  /** Fails the test on an error. */
  ok(name: string, args?: Json): Promise<Json>;
  /** Expects an error and resolves to its `error` object. */
  error(name: string, args?: Json): Promise<Json>;
  listTools(): Promise<Json[]>;
  /** Questions that the server has put, in order. */
  questions: string[];
  updates: string[];
  subscribe(uri: string): Promise<void>;
  readResource(uri: string): Promise<Json>;
  listResources(): Promise<string[]>;
  complete(argument: string, value: string): Promise<string[]>;
  prompt(name: string, args: Record<string, string>): Promise<string>;
  instructions(): string;
  pid: number;
  close(): Promise<void>;
}

export interface ConnectOptions {
  /** Command line after the program's name. */
  args: readonly string[];
  /** How the user answers a question; undefined: the client cannot ask. */
  answer?: 'accept' | 'decline' | undefined;
  env?: Record<string, string>;
}

const info = { name: 'test', version: '1' };

export async function connect(kind: ClientKind, options: ConnectOptions): Promise<TestClient> {
  const command = {
    command: process.execPath,
    args: [bundle, ...options.args],
    stderr: 'ignore' as const,
    env: { PATH: process.env.PATH ?? '', HOME: scratch(), ...options.env },
  };
  const capabilities = options.answer === undefined ? {} : { elicitation: { form: {} } };
  const questions: string[] = [];
  const updates: string[] = [];
  const reply = (message: string) => {
    questions.push(message);
    return options.answer === 'accept'
      ? { action: 'accept' as const, content: { confirm: true } }
      : { action: 'decline' as const };
  };
  if (kind === 'v1') {
    const client = new OldClient(info, { capabilities });
    if (options.answer !== undefined)
      client.setRequestHandler(ElicitRequestSchema, async ({ params }) => reply(params.message));
    client.setNotificationHandler(ResourceUpdatedNotificationSchema, ({ params }) => {
      updates.push(params.uri);
    });
    const transport = new OldStdio(command);
    await client.connect(transport);
    return finish({
      questions,
      updates,
      pid: transport.pid ?? 0,
      async raw(name, args, { onProgress, signal } = {}) {
        return client.callTool({ name, arguments: args }, CallToolResultSchema, {
          ...(signal ? { signal } : {}),
          ...(onProgress ? { onprogress: (p) => onProgress(p.message ?? '') } : {}),
        });
      },
      listTools: async () => (await client.listTools()).tools,
      subscribe: async (uri) => void (await client.subscribeResource({ uri })),
      readResource: async (uri) => (await client.readResource({ uri })).contents[0] ?? {},
      listResources: async () => (await client.listResources()).resources.map((r) => r.uri),
      complete: async (name, value) =>
        (await client.complete({ ref: completionRef, argument: { name, value } })).completion.values,
      prompt: async (name, args) =>
        JSON.stringify((await client.getPrompt({ name, arguments: args })).messages),
      instructions: () => client.getInstructions() ?? '',
      close: () => client.close(),
    });
  }
  const client = new ModernClient(info, {
    capabilities,
    versionNegotiation: { mode: kind === 'v2-modern' ? { pin: '2026-07-28' } : 'legacy' },
  });
  if (options.answer !== undefined)
    client.setRequestHandler('elicitation/create', async ({ params }) => reply(params.message));
  client.setNotificationHandler('notifications/resources/updated', ({ params }) => {
    updates.push(params.uri);
  });
  const transport = new ModernStdio(command);
  await client.connect(transport);
  return finish({
    questions,
    updates,
    pid: transport.pid ?? 0,
    async raw(name, args, { onProgress, signal } = {}) {
      return client.callTool(
        { name, arguments: args },
        {
          ...(signal ? { signal } : {}),
          ...(onProgress ? { onprogress: (p) => onProgress(p.message ?? '') } : {}),
        },
      );
    },
    listTools: async () => (await client.listTools()).tools,
    async subscribe(uri) {
      if (kind === 'v2-modern') await client.listen({ resourceSubscriptions: [uri] });
      else await client.subscribeResource({ uri });
    },
    readResource: async (uri) => ({ ...(await client.readResource({ uri })).contents[0] }),
    listResources: async () => (await client.listResources()).resources.map((r) => r.uri),
    complete: async (name, value) =>
      (await client.complete({ ref: completionRef, argument: { name, value } })).completion.values,
    prompt: async (name, args) =>
      JSON.stringify((await client.getPrompt({ name, arguments: args })).messages),
    instructions: () => client.getInstructions() ?? '',
    close: () => client.close(),
  });
}

const completionRef = { type: 'ref/resource' as const, uri: 'session://{app}/{sessionId}' };

interface Raw extends Omit<TestClient, 'call' | 'ok' | 'error' | 'listTools'> {
  raw(
    name: string,
    args: Json,
    options?: { onProgress?: (message: string) => void; signal?: AbortSignal },
  ): Promise<unknown>;
  listTools(): Promise<unknown[]>;
}

function finish({ raw, listTools, ...rest }: Raw): TestClient {
  const call: TestClient['call'] = async (name, args = {}, options) => {
    const result = (await raw(name, args, options)) as {
      isError?: boolean;
      structuredContent?: Json;
      content: { type: string; text?: string; uri?: string; name?: string }[];
    };
    return {
      isError: result.isError === true,
      structured: result.structuredContent ?? {},
      text: JSON.parse(result.content[0]?.text ?? '{}') as Json,
      links: result.content.flatMap((c) =>
        c.type === 'resource_link' ? [{ uri: c.uri ?? '', name: c.name ?? '' }] : [],
      ),
    };
  };
  return {
    ...rest,
    call,
    async ok(name, args) {
      const answer = await call(name, args);
      if (answer.isError) throw new Error(`${name}: ${JSON.stringify(answer.text)}`);
      return answer.structured;
    },
    async error(name, args) {
      const answer = await call(name, args);
      if (!answer.isError) throw new Error(`${name} did not fail: ${JSON.stringify(answer.structured)}`);
      return answer.text.error as Json;
    },
    listTools: async () => (await listTools()) as Json[],
  };
}
