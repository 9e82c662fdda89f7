import {
  acceptedContent,
  CLIENT_CAPABILITIES_META_KEY,
  completable,
  createRequestStateCodec,
  fromJsonSchema,
  inputRequired,
  inputResponse,
  McpServer,
  ResourceTemplate,
  type ServerContext,
  type ServerEvent,
} from '@modelcontextprotocol/server';
import * as z from 'zod';
import { isObject } from '../../src/model/json.ts';
import type { ServedApp } from '../../src/server/mcp/served-app.ts';

/**
 * What the protocol's conformance suite expects to find on a server, as its scenarios name it: tools, prompts
 * and resources that do one thing each. It is served by the product's own transport, which is what is judged.
 */
export function conformanceFixture(): ServedApp {
  const listeners = new Set<(event: ServerEvent) => void>();
  const publish = (event: ServerEvent) => {
    for (const listener of listeners) listener(event);
  };
  return {
    build() {
      const server = new McpServer(
        { name: 'conformance-fixture', version: '1.0.0' },
        {
          capabilities: {
            logging: {},
            tools: { listChanged: true },
            prompts: { listChanged: true },
            resources: { subscribe: true, listChanged: true },
          },
          requestState: { verify: codec.verify },
        },
      );
      registerContentTools(server);
      registerAskingTools(server);
      registerInputTools(server);
      registerChangingTools(server, publish);
      registerSchemaTools(server);
      registerResources(server);
      registerPrompts(server);
      return server;
    },
    listen(_principal, _uris, listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const codec = createRequestStateCodec<{ step: string }>({ key: 'conformance'.repeat(3), ttlSeconds: 600 });
const pixel =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==';
const silence = 'UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQAAAAA=';

const text = (value: string) => ({ type: 'text' as const, text: value });
const says = (value: string) => ({ content: [text(value)] });
const image = { type: 'image' as const, data: pixel, mimeType: 'image/png' };
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const description = 'For the conformance suite';

async function progress(ctx: ServerContext, done: number, total?: number): Promise<void> {
  const progressToken = ctx.mcpReq._meta?.progressToken;
  if (progressToken === undefined) return;
  const params = { progressToken, progress: done, ...(total === undefined ? {} : { total }) };
  await ctx.mcpReq.notify({ method: 'notifications/progress', params });
}

function registerContentTools(server: McpServer): void {
  const plain = { description };
  server.registerTool('test_simple_text', plain, () => says('This is a simple text response for testing.'));
  server.registerTool('test_image_content', plain, () => ({ content: [image] }));
  server.registerTool('test_audio_content', plain, () => ({
    content: [{ type: 'audio', data: silence, mimeType: 'audio/wav' }],
  }));
  server.registerTool('test_embedded_resource', plain, () => ({
    content: [
      {
        type: 'resource',
        resource: {
          uri: 'test://embedded-resource',
          mimeType: 'text/plain',
          text: 'This is an embedded resource content.',
        },
      },
    ],
  }));
  server.registerTool('test_multiple_content_types', plain, () => ({
    content: [
      text('Multiple content types test:'),
      image,
      {
        type: 'resource',
        resource: {
          uri: 'test://mixed-content-resource',
          mimeType: 'application/json',
          text: '{"test":"data","value":123}',
        },
      },
    ],
  }));
  server.registerTool('test_error_handling', plain, () => {
    throw new Error('This tool intentionally returns an error for testing');
  });
  server.registerTool('test_tool_with_progress', plain, async (ctx) => {
    for (const done of [0, 50, 100]) {
      await progress(ctx, done, 100);
      await pause(20);
    }
    return says('done');
  });
  const logs = async (ctx: ServerContext) => {
    for (const message of ['Tool execution started', 'Tool processing data', 'Tool execution completed']) {
      await ctx.mcpReq.log('info', message);
      await pause(50);
    }
    return says('logged');
  };
  server.registerTool('test_tool_with_logging', plain, logs);
  server.registerTool('test_logging_tool', plain, logs);
}

/** Tools that ask the client in the way of 2025, by requests of the server's own. */
function registerAskingTools(server: McpServer): void {
  server.registerTool(
    'test_sampling',
    { description, inputSchema: z.object({ prompt: z.string() }) },
    async ({ prompt }, ctx) => {
      const messages = [{ role: 'user' as const, content: text(prompt) }];
      const { content } = await ctx.mcpReq.requestSampling({ messages, maxTokens: 100 });
      return says(`LLM response: ${JSON.stringify(content)}`);
    },
  );
  server.registerTool(
    'test_elicitation',
    { description, inputSchema: z.object({ message: z.string() }) },
    async ({ message }, ctx) => {
      const properties = { username: { type: 'string' as const }, email: { type: 'string' as const } };
      const requestedSchema = { type: 'object' as const, properties, required: ['username', 'email'] };
      const answer = await ctx.mcpReq.elicitInput({ mode: 'form', message, requestedSchema });
      return says(`User response: ${JSON.stringify(answer)}`);
    },
  );
  server.registerTool('test_elicitation_sep1034_defaults', { description }, async (ctx) => {
    const answer = await ctx.mcpReq.elicitInput({
      mode: 'form',
      message: 'Please look over the defaults',
      requestedSchema: {
        type: 'object',
        properties: {
          name: { type: 'string', default: 'John Doe' },
          age: { type: 'integer', default: 30 },
          score: { type: 'number', default: 95.5 },
          status: { type: 'string', enum: ['active', 'inactive', 'pending'], default: 'active' },
          verified: { type: 'boolean', default: true },
        },
      },
    });
    return says(`Elicitation completed: ${JSON.stringify(answer)}`);
  });
  const titled = (value: string, title: string) =>
    [1, 2, 3].map((n) => ({ const: `${value}${n}`, title: `${title} ${n}` }));
  server.registerTool('test_elicitation_sep1330_enums', { description }, async (ctx) => {
    const options = ['option1', 'option2', 'option3'];
    const answer = await ctx.mcpReq.elicitInput({
      mode: 'form',
      message: 'Please choose',
      requestedSchema: {
        type: 'object',
        properties: {
          untitledSingle: { type: 'string', enum: options },
          titledSingle: { type: 'string', oneOf: titled('value', 'Option') },
          legacyEnum: {
            type: 'string',
            enum: ['opt1', 'opt2', 'opt3'],
            enumNames: ['Option One', 'Option Two', 'Option Three'],
          },
          untitledMulti: { type: 'array', items: { type: 'string', enum: options } },
          titledMulti: { type: 'array', items: { anyOf: titled('value', 'Choice') } },
        },
      },
    });
    return says(`Elicitation completed: ${JSON.stringify(answer)}`);
  });
}

const nameForm = z.object({ name: z.string() });
const askName = () => inputRequired.elicit({ message: 'What is your name?', requestedSchema: nameForm });
const askModel = (prompt: string) =>
  inputRequired.createMessage({ messages: [{ role: 'user', content: text(prompt) }], maxTokens: 100 });

/** Tools that ask the client in the way of 2026, by returning what they still need. */
function registerInputTools(server: McpServer): void {
  const name = (of: string) => `test_input_required_result_${of}`;
  server.registerTool(name('elicitation'), { description }, (ctx) => {
    const answer = acceptedContent(ctx.mcpReq.inputResponses, 'user_name', nameForm);
    return answer
      ? says(`Hello, ${answer.name}!`)
      : inputRequired({ inputRequests: { user_name: askName() } });
  });
  server.registerTool(name('sampling'), { description }, (ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, 'capital_question');
    if (answer.kind === 'sampling') return says(JSON.stringify(answer.result.content));
    return inputRequired({ inputRequests: { capital_question: askModel('What is the capital of France?') } });
  });
  server.registerTool(name('list_roots'), { description }, (ctx) => {
    const answer = inputResponse(ctx.mcpReq.inputResponses, 'client_roots');
    if (answer.kind === 'roots') return says(JSON.stringify(answer.roots));
    return inputRequired({ inputRequests: { client_roots: inputRequired.listRoots() } });
  });
  for (const tool of [name('request_state'), name('tampered_state')])
    server.registerTool(tool, { description }, async (ctx) => {
      const answer = acceptedContent(ctx.mcpReq.inputResponses, 'confirm');
      if (answer && ctx.mcpReq.requestState() !== undefined) return says('state-ok');
      const requestedSchema = z.object({ ok: z.boolean() });
      return inputRequired({
        inputRequests: { confirm: inputRequired.elicit({ message: 'Please confirm', requestedSchema }) },
        requestState: await codec.mint({ step: tool }),
      });
    });
  server.registerTool(name('multiple_inputs'), { description }, async (ctx) => {
    const kinds = ['user_name', 'greeting', 'client_roots'].map(
      (key) => inputResponse(ctx.mcpReq.inputResponses, key).kind,
    );
    if (kinds.join() === 'elicit,sampling,roots') return says('all inputs received');
    return inputRequired({
      inputRequests: {
        user_name: askName(),
        greeting: askModel('Generate a greeting'),
        client_roots: inputRequired.listRoots(),
      },
      requestState: await codec.mint({ step: 'several' }),
    });
  });
  server.registerTool(name('multi_round'), { description }, async (ctx) => {
    const step = ctx.mcpReq.requestState<{ step: string }>()?.step;
    const has = (key: string) => acceptedContent(ctx.mcpReq.inputResponses, key) !== undefined;
    if (step === 'second' && has('step2')) return says('multi-round complete');
    const isSecond = step === 'first' && has('step1');
    const requestedSchema = isSecond ? z.object({ color: z.string() }) : nameForm;
    const message = isSecond ? 'What is your favourite colour?' : 'What is your name?';
    return inputRequired({
      inputRequests: { [isSecond ? 'step2' : 'step1']: inputRequired.elicit({ message, requestedSchema }) },
      requestState: await codec.mint({ step: isSecond ? 'second' : 'first' }),
    });
  });
  server.registerTool(name('capabilities'), { description }, (ctx) => {
    if (ctx.mcpReq.inputResponses) return says('ok');
    const envelope: unknown = ctx.mcpReq.envelope;
    const has = isObject(envelope) ? envelope[CLIENT_CAPABILITIES_META_KEY] : undefined;
    if (!isObject(has)) return says('no capabilities');
    const inputRequests = {
      ...(has.elicitation ? { user_name: askName() } : {}),
      ...(has.sampling ? { greeting: askModel('Say hello') } : {}),
      ...(has.roots ? { client_roots: inputRequired.listRoots() } : {}),
    };
    return Object.keys(inputRequests).length > 0 ? inputRequired({ inputRequests }) : says('no capabilities');
  });
  server.registerTool('test_missing_capability', { description }, () =>
    inputRequired({ inputRequests: { greeting: askModel('Say hello') } }),
  );
  server.registerTool('test_streaming_elicitation', { description }, async (ctx) => {
    await progress(ctx, 1);
    if (acceptedContent(ctx.mcpReq.inputResponses, 'user_name')) return says('ok');
    return inputRequired({ inputRequests: { user_name: askName() } });
  });
}

function registerChangingTools(server: McpServer, publish: (event: ServerEvent) => void): void {
  server.registerTool('test_trigger_tool_change', { description }, () => {
    publish({ kind: 'tools_list_changed' });
    return says('ok');
  });
  server.registerTool('test_trigger_prompt_change', { description }, () => {
    publish({ kind: 'prompts_list_changed' });
    return says('ok');
  });
}

function registerSchemaTools(server: McpServer): void {
  const region = {
    type: 'string' as const,
    description: 'Travels as a header too',
    'x-mcp-header': 'Region',
  };
  server.registerTool(
    'test_x_mcp_header',
    {
      description,
      inputSchema: fromJsonSchema<{ region: string }>({
        type: 'object',
        properties: { region },
        required: ['region'],
      }),
    },
    (args) => says(`region=${args.region}`),
  );
  server.registerTool(
    'json_schema_2020_12_tool',
    {
      description,
      inputSchema: fromJsonSchema({
        $schema: 'https://json-schema.org/draft/2020-12/schema',
        type: 'object',
        $defs: {
          address: {
            $anchor: 'addressDef',
            type: 'object',
            properties: { street: { type: 'string' }, city: { type: 'string' } },
          },
        },
        properties: {
          name: { type: 'string' },
          address: { $ref: '#/$defs/address' },
          contactMethod: { type: 'string', enum: ['phone', 'email'] },
          phone: { type: 'string' },
          email: { type: 'string' },
        },
        allOf: [{ anyOf: [{ required: ['phone'] }, { required: ['email'] }] }],
        if: { properties: { contactMethod: { const: 'phone' } }, required: ['contactMethod'] },
        // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
        then: { required: ['phone'] },
        else: { required: ['email'] },
        additionalProperties: false,
      }),
    },
    () => says('ok'),
  );
}

function registerResources(server: McpServer): void {
  const plain = { description, mimeType: 'text/plain' };
  const whole = (content: string) => (uri: URL) => ({
    contents: [{ uri: uri.href, mimeType: 'text/plain', text: content }],
  });
  server.registerResource(
    'static-text',
    'test://static-text',
    plain,
    whole('This is the content of the static text resource.'),
  );
  server.registerResource('watched', 'test://watched-resource', plain, whole('watched'));
  server.registerResource(
    'static-binary',
    'test://static-binary',
    { description, mimeType: 'image/png' },
    (uri) => ({ contents: [{ uri: uri.href, mimeType: 'image/png', blob: pixel }] }),
  );
  const mimeType = 'application/json';
  server.registerResource(
    'template',
    new ResourceTemplate('test://template/{id}/data', { list: undefined }),
    { description, mimeType },
    (uri, { id }) => {
      const value = { id, templateTest: true, data: `Data for ID: ${String(id)}` };
      return { contents: [{ uri: uri.href, mimeType, text: JSON.stringify(value) }] };
    },
  );
}

function registerPrompts(server: McpServer): void {
  const user = <T>(content: T) => ({ role: 'user' as const, content });
  server.registerPrompt('test_simple_prompt', { description }, () => ({
    messages: [user(text('This is a simple prompt for testing.'))],
  }));
  const cities = (start: string) => ['paris', 'park', 'party'].filter((city) => city.startsWith(start));
  server.registerPrompt(
    'test_prompt_with_arguments',
    {
      description,
      argsSchema: z.object({
        arg1: completable(z.string().describe('First test argument'), cities),
        arg2: z.string().describe('Second test argument'),
      }),
    },
    ({ arg1, arg2 }) => ({
      messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))],
    }),
  );
  server.registerPrompt(
    'test_prompt_with_embedded_resource',
    { description, argsSchema: z.object({ resourceUri: z.string() }) },
    ({ resourceUri }) => ({
      messages: [
        user({
          type: 'resource' as const,
          resource: {
            uri: resourceUri,
            mimeType: 'text/plain',
            text: 'Embedded resource content for testing.',
          },
        }),
        user(text('Please process the embedded resource above.')),
      ],
    }),
  );
  server.registerPrompt('test_prompt_with_image', { description }, () => ({
    messages: [user(image), user(text('Please analyze the image above.'))],
  }));
  server.registerPrompt('test_input_required_result_prompt', { description }, (ctx) => {
    const form = z.object({ context: z.string() });
    const answer = acceptedContent(ctx.mcpReq.inputResponses, 'user_context', form);
    if (answer) return { messages: [user(text(`Context: ${answer.context}`))] };
    const message = 'What context should the prompt use?';
    return inputRequired({
      inputRequests: { user_context: inputRequired.elicit({ message, requestedSchema: form }) },
    });
  });
}
