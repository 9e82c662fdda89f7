import { spawn } from 'node:child_process';
import type { Machine } from '../config/index.ts';

/** How long a program that opens addresses has to fail. */
const failMs = 1500;

/** Opens an address in the user's browser. Resolves to whether a program took it. */
export function startBrowser(url: string, machine: Pick<Machine, 'platform' | 'env'>): Promise<boolean> {
  const command = openerOf(machine);
  if (command === undefined) return Promise.resolve(false);
  const [program, ...args] = command;
  return new Promise((resolve) => {
    const child = spawn(program, [...args, url], { stdio: 'ignore', detached: true });
    const timer = setTimeout(() => resolve(true), failMs);
    const end = (taken: boolean) => {
      clearTimeout(timer);
      resolve(taken);
    };
    child.on('error', () => end(false));
    child.on('exit', (code) => end(code === 0));
    child.unref();
  });
}

type Command = readonly [program: string, ...args: string[]];

/** The platform's own opener; undefined where no person can be looking, as over SSH. */
function openerOf({ platform, env }: Pick<Machine, 'platform' | 'env'>): Command | undefined {
  if (platform === 'win32') return ['rundll32', 'url.dll,FileProtocolHandler'];
  if (platform === 'darwin') return ['open'];
  if (env.WSL_DISTRO_NAME !== undefined) return ['wslview'];
  if (env.DISPLAY === undefined && env.WAYLAND_DISPLAY === undefined && env.BROWSER === undefined)
    return undefined;
  return ['xdg-open'];
}
