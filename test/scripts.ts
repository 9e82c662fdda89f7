import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** The scripts of a folder `fixtures/` beside the file with this URL, as processes of their own. */
export function scriptsBeside(url: string) {
  /** Starts a script, which does not outlive the test. */
  function start(script: string, ...args: string[]): ChildProcess {
    const file = fileURLToPath(new URL(`fixtures/${script}`, url));
    // Node runs these scripts itself by removing their types; tsx would take longer to start.
    const child = spawn(process.execPath, [file, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    onTestFinished(() => {
      child.kill('SIGKILL');
    });
    return child;
  }

  /** Runs a script to its end and resolves to its output. Rejects when it fails. */
  async function run(script: string, ...args: string[]): Promise<string> {
    const child = start(script, ...args);
    let printed = '';
    child.stdout?.on('data', (chunk) => {
      printed += chunk;
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    if (code !== 0) throw new Error(`${script} ended with ${code}`);
    return printed;
  }

  return { start, run };
}
