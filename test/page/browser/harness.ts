import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect } from 'vitest';
import { bundle } from '../../e2e/bundle.ts';
import { type Product, type ProductOptions, startProduct } from '../../server/http/harness.ts';
import { as, type Json, resultOf, send, toolCall } from '../../server/http/requests.ts';

/** The page as it is published. */
export const page = (): Promise<string> => readFile(path.join(path.dirname(bundle), 'page.html'), 'utf8');

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** A browser for the tests of a file. Chromium comes from the system: `apt-get install chromium`, or CHROMIUM names it. */
export function useBrowser(): () => Browser {
  let browser: Browser | undefined;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());
  return () => {
    if (browser === undefined) throw new Error('The browser has not been started.');
    return browser;
  };
}

export function launch(): Promise<Browser> {
  const executablePath = process.env.CHROMIUM ?? places.find((place) => existsSync(place));
  if (executablePath === undefined)
    throw new Error('There is no Chromium: install it (apt-get install chromium), or name it in CHROMIUM.');
  // Containers seldom allow what its sandbox needs; it sees nothing here but this page.
  return chromium.launch({ executablePath, args: ['--no-sandbox'] });
}

/** The real server with the page, for the tests of a file. */
export function useProduct(options: ProductOptions = {}): () => Product {
  let product: Product | undefined;
  beforeAll(async () => {
    product = await startProduct({ user: 'ann', page, ...options });
  });
  afterAll(() => product?.end());
  return () => {
    if (product === undefined) throw new Error('The server has not been started.');
    return product;
  };
}

export interface Seen {
  page: Page;
  /** What the browser complained of, and requests to other origins: there must be none. */
  faults: string[];
}

const size = { width: 1200, height: 800 };
const zone = { locale: 'en-GB', timezoneId: 'Europe/Oslo' };

/** Opens an address in a tab of its own. */
export async function visit(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<Seen> {
  const context = await browser.newContext({ viewport: size, ...zone, ...options });
  const tab = await context.newPage();
  tab.setDefaultTimeout(15_000);
  const faults: string[] = [];
  const { origin } = new URL(url);
  tab.on('pageerror', (error) => faults.push(`error: ${error.message}`));
  tab.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') faults.push(`console: ${message.text()}`);
  });
  tab.on('request', (request) => {
    if (!request.url().startsWith(origin) && !request.url().startsWith('data:'))
      faults.push(`request: ${request.url().slice(0, 200)}`);
  });
  await tab.goto(url);
  return { page: tab, faults };
}

/** The page of a server, at a session when one is named. */
export const addressOf = (port: number, parts: Record<string, string> = {}): string =>
  `http://127.0.0.1:${port}/ui#${new URLSearchParams(parts)}`;

/** Calls a tool beside the page, as another client would. */
export async function call(port: number, name: string, args: Json = {}, user?: string): Promise<Json> {
  const { result } = resultOf(await send(port, as(user, toolCall(name, args)))) as { result?: Json };
  if (result === undefined || result.isError === true) throw new Error(`${name}: ${JSON.stringify(result)}`);
  return result.structuredContent as Json;
}

/** Makes a session and resolves to its id. */
export async function newSession(port: number, args: Json = {}): Promise<string> {
  const { session } = (await call(port, 'create_session', args)) as { session: { id: string } };
  return session.id;
}

/** Judges what is shown now by axe-core. */
export async function expectAccessible(tab: Page, what: string): Promise<void> {
  const axe = await readFile(new URL(import.meta.resolve('axe-core/axe.min.js')), 'utf8');
  // Through the debugger, which the page's policy does not bind.
  await tab.evaluate(axe);
  const found = await tab.evaluate(async () => {
    const { axe: judge } = globalThis as unknown as { axe: { run(): Promise<{ violations: Violation[] }> } };
    const { violations } = await judge.run();
    return violations.map(
      ({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 200)).join(' | ')}`,
    );
  });
  expect(found, what).toEqual([]);
}

interface Violation {
  id: string;
  nodes: { html: string }[];
}
