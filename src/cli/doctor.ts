import path from 'node:path';
import type { BackendName } from '../config/index.ts';
import type { SessionError } from '../errors.ts';
import { version } from '../version.ts';
import type { Call } from './command.ts';
import { checkEmbeddings } from './doctor-embeddings.ts';
import {
  type Checked,
  type Finding,
  fail,
  failed,
  note,
  ok,
  reportOf,
  type Subject,
} from './doctor-finding.ts';
import { checkHosts } from './doctor-hosts.ts';
import { checkHttp } from './doctor-http.ts';
import { checkAccess, checkAddress, checkPermissions } from './doctor-service.ts';
import { checkStore } from './doctor-store.ts';
import type { Io } from './io.ts';
import { openBackends } from './open-backends.ts';

interface Values {
  json: boolean;
}

/** Checks what the server would need, prints what must be repaired first, and resolves to 0 when all is well, else 1. */
export async function doctor(call: Call<Values>): Promise<number> {
  const { config, values, io, log } = call;
  const { env } = io.machine;
  const parts = [
    programFindings(call),
    ...(await Promise.all(config.backends.map((name) => checkBackend(name, call)))),
    await checkHttp(config, env, log),
    await checkAgents(call),
    under('embeddings', await checkEmbeddings(call.config, log)),
    under('hosts', checkHosts(io.machine, path.resolve('.'))),
  ];
  return print(parts.flat(), values.json, config.secrets, io);
}

/** The report where the configuration itself is wrong: all that is, at once. */
export function reportFaults(faults: readonly SessionError[], json: boolean, io: Io): number {
  const findings = faults.map(fail);
  const rest = note('Nothing else was checked.', 'Mend the configuration and run doctor again.');
  return print(
    [...under('configuration', [...findings, rest]), ...under('program', [programFinding(io)])],
    json,
    [],
    io,
  );
}

function print(checked: readonly Checked[], json: boolean, secrets: readonly string[], io: Io): number {
  const { text, code } = reportOf(checked, { json, secrets });
  io.print(text);
  return code;
}

const under = (subject: Subject, findings: readonly Finding[]): Checked[] =>
  findings.map((finding) => ({ subject, finding }));

const programFinding = ({ nodeVersion }: Io): Finding =>
  ok(`agent-sessions-mcp ${version}, Node.js ${nodeVersion}`);

function programFindings({ config, io }: Call<Values>): Checked[] {
  const { backends, user, app } = config;
  return [
    ...under('configuration', [ok(`acting for user ${user} in app ${app}, on ${backends.join(', ')}`)]),
    ...under('program', [programFinding(io)]),
  ];
}

async function checkBackend(name: BackendName, { config, io, log }: Call<Values>): Promise<Checked[]> {
  const checked: Checked[] = [];
  try {
    // Opened, it would be changed: made, brought up to date, swept.
    if (name === 'local') return under('store', await checkStore(config));
    const opened = await openBackends({ ...config, backends: [name] }, log);
    try {
      for (const backend of opened.backends) {
        const access = await checkAccess(backend, io.machine.env, log);
        checked.push(...access);
        // Without address or credentials every question would end in the same failure.
        if (access.some(({ finding }) => finding.kind === 'fail')) continue;
        const permissions = await checkPermissions(backend, config, log);
        checked.push(...permissions);
        const info = await backend.describe();
        const answers = ok(
          `backend ${info.name} at ${info.location}: answers, ${info.capabilities.length} capabilities`,
        );
        if (permissions.every(({ finding }) => finding.kind === 'ok'))
          checked.push(...under('permissions', [answers]));
      }
    } finally {
      await opened.close();
    }
  } catch (error) {
    checked.push(...under(name === 'local' ? 'store' : 'configuration', [failed(error, log)]));
  }
  return checked;
}

async function checkAgents({ config, io, log }: Call<Values>): Promise<Checked[]> {
  if (!config.backends.includes('local')) return [];
  const agents = Object.entries(config.agents).flatMap(([app, team]) =>
    team.map((agent) => ({ app, agent })),
  );
  const checks = agents.map(async ({ app, agent }) => {
    const what = `agent of ${app} (${agent.kind})`;
    if (agent.kind === 'echo') return { subject: 'agents' as const, finding: ok(`${what}: built in`) };
    const address = agent.kind === 'chat' ? agent.baseUrl : agent.url;
    const { finding } = await checkAddress(what, address, io.machine.env, log);
    return { subject: 'agents' as const, finding };
  });
  return Promise.all(checks);
}
