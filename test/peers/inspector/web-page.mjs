import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { chromium } from 'playwright-core';
import { expect, visit } from '../stand.mjs';

export const inspector = path.join(
  import.meta.dirname,
  'node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js',
);

const places = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts the Inspector's web page for a server. Resolves to its address, which holds its key. */
async function startPage({ env, url, token }) {
  const ports = { CLIENT_PORT: String(await freePort()), MCP_SANDBOX_PORT: String(await freePort()) };
  const header = `Authorization: Bearer ${token}`;
  const args = [inspector, '--web', '--transport', 'http', '--server-url', url, '--header', header];
  const child = spawn(process.execPath, args, {
    env: { ...env, ...ports },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  const address = await new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`The page did not start: ${said}`)));
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      said += chunk;
      const found = /http:\/\/\S+MCP_INSPECTOR_API_TOKEN=\w{64}/.exec(said);
      if (found !== null) resolve(found[0]);
    });
  });
  return { address, end: () => child.kill() };
}

/** What a person does with the page: connects, looks at the tools, fills forms in, looks at the skills. */
export async function visitWebPage(options) {
  const executablePath = process.env.CHROMIUM ?? places.find((place) => existsSync(place));
  if (executablePath === undefined)
    throw new Error('There is no Chromium: install it (apt-get install chromium), or name it in CHROMIUM.');
  const { address, end } = await startPage(options);
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage({ viewport: { width: 1400, height: 1600 } });
    await page.goto(address);
    await page.getByRole('switch', { name: /Connect/ }).click({ force: true });
    await page.getByLabel('Close monitoring sidebar').click();
    const tab = (name) => page.getByText(name, { exact: true }).first().click();
    await tab('Tools');
    await visit(
      async () => {
        await page.getByText('describe_server', { exact: true }).waitFor();
        return (await page.locator('body').innerText()).match(/^[a-z]+(?:_[a-z]+)+$/gm) ?? [];
      },
      async (tool, args) => {
        await page.getByText(tool, { exact: true }).first().click();
        for (const [name, value] of Object.entries(args))
          await page.getByLabel(new RegExp(`^${name}( \\*)?$`)).fill(String(value));
        const answered = page.waitForResponse(
          (response) => response.request().postData()?.includes(`"${tool}"`) === true,
        );
        await page.getByRole('button', { name: 'Execute Tool' }).click();
        await answered;
        await page.getByText('Structured Output').waitFor();
        const shown = (await page.locator('body').innerText()).split('Structured Output').at(-1);
        // Of a long answer the page renders what can be seen.
        const [, status] = /"status": "(\w+)"/.exec(shown) ?? [];
        const json = parsed(shown) ?? (status && { status, text: shown });
        expect(json !== undefined, `an answer of ${tool} is shown: ${shown.slice(0, 500)}`);
        return json;
      },
    );
    await tab('Skills');
    await page.getByText('skill://agent-sessions/SKILL.md').waitFor();
  } finally {
    await browser.close();
    end();
  }
}

function parsed(text) {
  try {
    return JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1));
  } catch {
    return undefined;
  }
}
