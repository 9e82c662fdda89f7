import { createOneTimeKey } from '../server/auth/one-time-key.ts';
import { startHttp } from '../server/http/index.ts';
import { startBrowser } from './browser.ts';
import type { Call } from './command.ts';
import { serve } from './serve.ts';

interface Values {
  noBrowser: boolean;
}

/** The page and its server are on one machine, and nobody else is let in: any free port will do. */
const place = { host: '127.0.0.1', port: 0, path: '/mcp', publicUrl: undefined, accessLog: false };
const nobody = { tokens: undefined, oauth: undefined, metrics: false };

/** Serves the configured backends to one browser of this machine until a signal ends it. */
export function open(call: Call<Values>): Promise<number> {
  const { config, io, operands, values } = call;
  return serve(call, async (deps, operator) => {
    const key = createOneTimeKey(operator);
    const settings = { ...config.http, ...place, ...nobody };
    const server = await startHttp(deps, settings, config.user, key);
    const url = addressOf(server.url, key.key, operands[0]);
    const started = !values.noBrowser && (await startBrowser(url, io.machine));
    const told = started
      ? 'The session page opens in your browser.'
      : `Open this address in your browser; it works once:\n${url}\n`;
    io.print(`${told}\nPress Ctrl-C to end.\n`);
    // Its one client is the page, which says that the server is gone.
    return { ...server, close: () => server.close(0) };
  });
}

function addressOf(endpoint: string, key: string, sessionId: string | undefined): string {
  const url = new URL('/ui', endpoint);
  const parts = { key, ...(sessionId === undefined ? {} : { session: sessionId }) };
  // A fragment stays in the browser: it is in no request and in no log.
  url.hash = new URLSearchParams(parts).toString();
  return url.href;
}
