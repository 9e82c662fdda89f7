import { readFile } from 'node:fs/promises';
import { SessionError } from '../errors.ts';

/** The session page as HTML: the build puts it beside the server's bundle. */
export async function readPage(): Promise<string> {
  // The second is where it is from the sources.
  for (const place of ['./page.html', '../../dist/page.html']) {
    const html = await readFile(new URL(place, import.meta.url), 'utf8').catch(() => undefined);
    if (html !== undefined) return html;
  }
  throw new SessionError('FAILED_PRECONDITION', 'The session page has not been built.', {
    hint: 'In a checkout, run `npm run build`; else install the package again.',
  });
}
