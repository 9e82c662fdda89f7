import { anyApp } from '../agent/open.ts';
import type { Config } from '../config/index.ts';
import type { Principal } from '../model/principal.ts';
import type { ServedAgent, TurnRunner } from '../run/turn-runner.ts';
import type { ServerDeps } from '../server/mcp/deps.ts';
import { version } from '../version.ts';
import { type Call, StartFailure, withBackends } from './command.ts';
import { readPage } from './page-file.ts';
import { skillsFolder } from './skills-folder.ts';

interface RunningServer {
  /** Resolves when its client has gone, or it was closed. */
  closed: Promise<void>;
  close(): Promise<void>;
}

type Start = (deps: ServerDeps, operator: Principal) => RunningServer | Promise<RunningServer>;

/** How long an ending server waits for what is under way. */
const graceMs = 700;

/** Runs a server until its client has gone or a signal ends it. */
export function serve({ config, io, log }: Call<unknown>, start: Start): Promise<number> {
  return withBackends({ config, log }, async ({ backends, runs, secret, sharedRecords }) => {
    const { toolsets, readOnly, callMs, app: defaultApp, appStateWriters } = config;
    const folder = skillsFolder();
    const { openSkills } = await import('../server/mcp/skills.ts');
    const deps: ServerDeps = {
      version,
      agents: boundAgents(config),
      backends,
      runs,
      defaultApp,
      toolsets,
      readOnly,
      callMs,
      secret,
      log,
      sharedRecords,
      appStateWriters,
      page: readPage,
      skills: folder === undefined ? undefined : openSkills(folder, log),
    };
    const turns = await answerTurns(deps, config);
    const starting = startOf(start, deps, config.user);
    // Before it listens, so that a signal never meets a server that does not heed it.
    io.onSignal(() => void starting.then((server) => server.close()).catch(() => {}));
    const server = await starting;
    await server.closed;
    // Whatever hangs, the process ends soon after its client has gone.
    const timer = setTimeout(() => io.exit(0), graceMs);
    timer.unref();
    await Promise.all([server.close(), turns?.stop()]);
    return 0;
  });
}

/** Where the operator has bound agents, this server answers the turns that are handed to them. */
async function answerTurns(
  { backends, runs, log, readOnly }: ServerDeps,
  { agents: bound }: Config,
): Promise<TurnRunner | undefined> {
  const backend = backends.find((one) => one.turns?.take !== undefined);
  const agents = servedAgents(bound);
  if (backend === undefined || readOnly || agents.length === 0) return undefined;
  const { startTurnRunner } = await import('../run/turn-runner.ts');
  return startTurnRunner({ backend, runs, log, agents });
}

/** The agents of every app serve those apps that have none of their own. */
function servedAgents(bound: Config['agents']): ServedAgent[] {
  const exceptApps = Object.keys(bound).filter((app) => app !== anyApp);
  return Object.entries(bound).flatMap(([app, team]) =>
    team.map(({ name }) => (app === anyApp ? { exceptApps, agent: name } : { app, agent: name })),
  );
}

const boundAgents = ({ agents, app: defaultApp }: Config): { app: string; agent: string }[] =>
  Object.entries(agents).flatMap(([app, team]) =>
    team.map(({ name }) => ({ app: app === anyApp ? defaultApp : app, agent: name })),
  );

async function startOf(start: Start, deps: ServerDeps, userId: string): Promise<RunningServer> {
  try {
    return await start(deps, {
      userId,
      scopes: ['sessions:read', 'sessions:write', 'sessions:admin'],
      admin: true,
    });
  } catch (error) {
    throw new StartFailure(error);
  }
}
