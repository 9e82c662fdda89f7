import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bundle } from '../../e2e/bundle.ts';
import { scratch } from '../../scratch.ts';
import type { Json } from '../../server/http/requests.ts';
import { useBrowser } from './harness.ts';

const mimeType = 'text/html;profile=mcp-app';
/** What the specification of MCP Apps lets an app without domains of its own do. */
const policy =
  "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; media-src 'self' data:; connect-src 'none'";

describe('as an app in a host', () => {
  const browser = useBrowser();
  let client: Client;
  let hostScript: string;
  const call = (name: string, args: Json = {}) => client.callTool({ name, arguments: args });

  beforeAll(async () => {
    client = new Client(
      { name: 'host', version: '1' },
      {
        capabilities: { extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: [mimeType] } } },
        versionNegotiation: { mode: { pin: '2026-07-28' } },
      },
    );
    const args = [bundle, '--store', 'memory:', '--user', 'ann'];
    const env = { PATH: process.env.PATH ?? '', HOME: scratch() };
    await client.connect(
      new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' }),
    );
    const entryPoints = [new URL('./host.ts', import.meta.url).pathname];
    const built = await build({
      entryPoints,
      bundle: true,
      write: false,
      format: 'iife',
      platform: 'browser',
    });
    hostScript = built.outputFiles[0]?.text ?? '';
  });
  afterAll(() => client.close());

  /** The app that the server names for a tool. */
  async function appOf(tool: string): Promise<string> {
    const { tools } = await client.listTools();
    const mark = tools.find(({ name }) => name === tool)?._meta as
      | { ui: { resourceUri: string } }
      | undefined;
    const { contents } = await client.readResource({ uri: mark?.ui.resourceUri ?? '' });
    const [app] = contents as { mimeType: string; text: string; _meta: Json }[];
    expect(app).toMatchObject({
      mimeType,
      _meta: { ui: { csp: { connectDomains: [], resourceDomains: [] } } },
    });
    const head = `<head><meta http-equiv="Content-Security-Policy" content="${policy}">`;
    return app?.text.replace('<head>', head) ?? '';
  }

  async function host(tool: string, args: Json) {
    const page = await browser().newPage({ viewport: { width: 900, height: 720 } });
    const opened: string[] = [];
    const heights: unknown[] = [];
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text());
    });
    await page.exposeFunction('callTool', (params: { name: string; arguments?: Json }) =>
      client.callTool(params),
    );
    await page.exposeFunction('opened', (url: string) => void opened.push(url));
    await page.exposeFunction('sized', (height: number) => void heights.push(height));
    await page.evaluate(hostScript);
    const shown = { html: await appOf(tool), call: { name: tool, arguments: args } };
    await page.evaluate(
      (given) =>
        (globalThis as unknown as { show(...all: unknown[]): Promise<void> }).show(
          given.html,
          'dark',
          given.call,
        ),
      shown,
    );
    return { page, app: page.frameLocator('iframe'), opened, heights, faults };
  }

  it('is declared by the server, and named by the tools whose results it shows', async () => {
    expect(client.getServerCapabilities()).toMatchObject({
      extensions: { 'io.modelcontextprotocol/ui': { mimeTypes: [mimeType] } },
    });
    const { tools } = await client.listTools();
    const marked = tools.filter(({ _meta }) => _meta !== undefined).map(({ name }) => name);
    expect(marked).toEqual(expect.arrayContaining(['list_sessions', 'get_session', 'list_events']));
  });

  it('shows the session that the model has read, live, and acts on it through the host', async () => {
    const { structuredContent } = await call('create_session', { displayName: 'In a host' });
    const sessionId = (structuredContent as { session: { id: string } }).session.id;
    await call('append_event', { sessionId, text: 'Hello, see [this](https://a.example/).' });
    const { app, opened, heights, faults } = await host('list_events', { sessionId });
    // At once, and not only when the page looks again.
    await app.getByRole('heading', { name: 'In a host' }).waitFor({ timeout: 10_000 });
    await app.getByRole('feed').getByText('Hello, see').waitFor();
    await call('append_event', { sessionId, author: 'helper', text: 'It came later.' });
    await app.getByRole('feed').getByText('It came later.').waitFor();
    await app.getByLabel('Message to the agent').fill('And you?');
    await app.getByRole('button', { name: 'Send' }).click();
    await app.getByRole('feed').getByText('And you?', { exact: true }).waitFor();
    await app.getByRole('link', { name: 'this' }).click();
    await app.getByRole('button', { name: 'Open', exact: true }).click();
    await expect.poll(() => opened).toEqual(['https://a.example/']);
    expect(heights.at(-1)).toBeGreaterThan(300);
    await app.getByLabel('What to do with this session').click();
    await app.getByRole('button', { name: 'Whole screen' }).click();
    await app.getByLabel('What to do with this session').click();
    await app.getByRole('button', { name: 'Back into the conversation' }).waitFor();
    const height = () =>
      app.locator('#page').evaluate((page) => page.getBoundingClientRect().height - innerHeight);
    await expect.poll(height).toBe(0);
    expect(faults).toEqual([]);
  });

  it('takes the theme of the host, and follows it', async () => {
    await call('create_session', { displayName: 'Any' });
    const { page, app, faults } = await host('list_sessions', {});
    await app.getByRole('button', { name: 'Any' }).waitFor();
    const ground = () => app.locator('body').evaluate((body) => getComputedStyle(body).backgroundColor);
    const dark = await ground();
    await page.evaluate(() => (globalThis as unknown as { setTheme(theme: string): void }).setTheme('light'));
    await expect.poll(ground).not.toBe(dark);
    expect(faults).toEqual([]);
  });
});
