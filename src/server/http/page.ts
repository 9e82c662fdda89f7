import { createHash } from 'node:crypto';
import { SessionError } from '../../errors.ts';
import type { OneTimeKey } from '../auth/one-time-key.ts';
import type { LoadPage } from '../mcp/page.ts';
import { type Exchange, refuse, refuseMethod } from './exchange.ts';
import { answer, readBody } from './io.ts';

/** Answers for the session page in a browser. Whoever asks gets the page: it holds no data, only its calls do. */
export interface PageAnswers {
  paths: readonly string[];
  serve(exchange: Exchange): Promise<undefined>;
}

const pagePath = '/ui';
/** Where the page exchanges the key in its address for a token. */
const keyPath = '/ui/token';
const keyBytes = 1000;

/** @param endpoint the path of the protocol's endpoint */
export function createPageAnswers(
  load: LoadPage,
  endpoint: string,
  oneTimeKey: OneTimeKey | undefined,
): PageAnswers {
  let loaded: Promise<{ body: string; policy: string }> | undefined;

  async function document(): Promise<{ body: string; policy: string }> {
    const html = await load();
    // Relative, so that it is right behind a proxy that serves all of this under a path of its own.
    const place = `<meta name="mcp-endpoint" content="${endpoint.slice(1)}">`;
    return { body: html.replace('<head>', `<head>${place}`), policy: policyOf(html) };
  }

  async function servePage(exchange: Exchange): Promise<undefined> {
    const { req, res } = exchange;
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      refuseMethod(exchange, ['GET', 'HEAD']);
      return;
    }
    loaded ??= document();
    const found = await loaded.catch((error: unknown) => {
      loaded = undefined;
      if (!(error instanceof SessionError)) throw error;
      refuse(exchange, 503, `${error.message} ${error.hint ?? ''}`.trim());
    });
    if (found === undefined) return;
    const { body, policy } = found;
    const headers = {
      'content-type': 'text/html; charset=utf-8',
      'content-security-policy': policy,
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'x-frame-options': 'DENY',
    };
    answer(res, 200, { ...exchange.headers, ...headers }, body);
  }

  async function exchangeKey(exchange: Exchange, key: OneTimeKey): Promise<undefined> {
    const { req, res, headers } = exchange;
    if (req.method !== 'POST') {
      refuseMethod(exchange, ['POST']);
      return;
    }
    const body = await readBody(req, keyBytes);
    const token = typeof body === 'string' ? undefined : key.exchange(body.toString('utf8'));
    if (token === undefined) refuse(exchange, 403, 'This key has been used, or never was one.');
    else answer(res, 200, { ...headers, 'content-type': 'application/json' }, JSON.stringify({ token }));
  }

  return {
    paths: oneTimeKey === undefined ? [pagePath] : [pagePath, keyPath],
    serve: (exchange) =>
      exchange.path === keyPath && oneTimeKey !== undefined
        ? exchangeKey(exchange, oneTimeKey)
        : servePage(exchange),
  };
}

/** Only the page's own script and styles run, it talks to its own origin only, and nobody frames it. */
function policyOf(html: string): string {
  const hashOf = (tag: string) => {
    const content = new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html)?.[1] ?? '';
    return `'sha256-${createHash('sha256').update(content).digest('base64')}'`;
  };
  return [
    "default-src 'none'",
    `script-src ${hashOf('script')}`,
    `style-src ${hashOf('style')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; ');
}
