import { invalidArgument } from '../errors.ts';
import { isLoopback } from './loopback.ts';

/**
 * A path with its parts percent-encoded: path`/apps/${app}/sessions/${id}`. A part can neither add, remove
 * nor leave a segment, however it is written: `.` and `..` have no encoding that every server keeps, so they
 * are refused, as are empty parts and control characters.
 * @throws SessionError INVALID_ARGUMENT
 */
export function path(literals: TemplateStringsArray, ...parts: readonly string[]): string {
  return literals.reduce(
    (url, literal, i) => url + literal + (i < parts.length ? segment(parts[i] ?? '') : ''),
    '',
  );
}

function segment(part: string): string {
  if (part === '' || part === '.' || part === '..' || !part.isWellFormed() || /\p{Cc}/u.test(part))
    throw invalidArgument(
      'An id is empty, is "." or "..", or holds control characters.',
      'Pass ids exactly as another tool returned them.',
    );
  return encodeURIComponent(part);
}

/** `?a=1&b=2` of the members that are defined; empty when there are none. */
export function queryString(params: Record<string, string | number | boolean | undefined>): string {
  const pairs = Object.entries(params).filter(
    (pair): pair is [string, string | number | boolean] => pair[1] !== undefined,
  );
  const text = new URLSearchParams(
    pairs.map(([key, value]): [string, string] => [key, String(value)]),
  ).toString();
  return text === '' ? '' : `?${text}`;
}

/**
 * A base URL from the operator's configuration, without a trailing slash. Plain http is for loopback only,
 * since credentials travel with every request.
 * @throws SessionError INVALID_ARGUMENT
 */
export function checkBaseUrl(name: string, value: string, options: { allowHttp?: boolean } = {}): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (
    url === undefined ||
    !/^https?:$/.test(url.protocol) ||
    url.username !== '' ||
    url.search !== '' ||
    url.hash !== ''
  )
    throw invalidArgument(
      `${name} is not a base URL.`,
      'Use https://host[:port][/path], without user, query or fragment.',
    );
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && options.allowHttp !== true)
    throw invalidArgument(`${name} uses plain http to another machine.`, 'Use https, or a loopback address.');
  return url.href.replace(/\/+$/, '');
}
