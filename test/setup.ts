import path from 'node:path';
import { buildPage, bundle, copySkills } from '../build.ts';
import { bundle as file } from './e2e/bundle.ts';

/** Makes what users get, once, so that tests of the process run what is shipped. */
export default async function setup(): Promise<void> {
  await bundle({ main: 'src/main.ts' }, path.dirname(file));
  await buildPage(path.join(path.dirname(file), 'page.html'));
  copySkills(path.dirname(file));
}
