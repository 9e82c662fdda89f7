import manifest from '../../package.json' with { type: 'json' };
import { backendGroups } from '../../src/config/backends.ts';
import { generalGroup } from '../../src/config/general.ts';
import type { Setting } from '../../src/config/setting.ts';
import { allTools } from '../../src/tools/index.ts';
import { sentence } from './markdown.ts';

const repository = manifest.repository.url.replace(/^git\+/, '').replace(/\.git$/, '');
/** For people who choose among many servers; the registry takes at most 100 characters. */
const shortDescription =
  'Sessions, events, state, artifacts and memories for AI agents: local, or on a vendor’s service.';

interface Variable extends Pick<Setting<unknown>, 'kind' | 'help' | 'secret' | 'otherwise'> {
  env: string;
}

/** What an operator of a server on stdio can set by its environment. */
const variables: readonly Variable[] = [generalGroup, ...Object.values(backendGroups)].flatMap(
  ({ settings }) =>
    Object.values<Setting<unknown>>(settings).flatMap(({ env, ...rest }) =>
      env === undefined ? [] : [{ ...rest, env }],
    ),
);

const defaultOf = ({ otherwise }: Variable): string | undefined =>
  Array.isArray(otherwise) ? otherwise.join(',') : typeof otherwise === 'string' ? otherwise : undefined;

/** The entry of the MCP registry. https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json */
export function serverJson(): string {
  return text({
    $schema: 'https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json',
    name: manifest.mcpName,
    title: 'Agent sessions',
    description: shortDescription,
    version: manifest.version,
    repository: { url: repository, source: 'github' },
    packages: [
      {
        registryType: 'npm',
        registryBaseUrl: 'https://registry.npmjs.org',
        identifier: manifest.name,
        version: manifest.version,
        runtimeHint: 'npx',
        transport: { type: 'stdio' },
        environmentVariables: variables.map((variable) => {
          const otherwise = defaultOf(variable);
          return {
            name: variable.env,
            description: sentence(variable.help),
            isRequired: false,
            isSecret: variable.secret === true,
            ...(typeof variable.otherwise === 'boolean' ? { format: 'boolean' } : {}),
            ...(otherwise === undefined ? {} : { default: otherwise }),
          };
        }),
      },
    ],
  });
}

/** What the form of a bundle asks for: few things, and the secrets that can be given in no other way. */
const asked: Readonly<Record<string, string>> = {
  AGENT_SESSIONS_USER: 'Your name in sessions',
  AGENT_SESSIONS_STORE: 'Store',
  AGENT_SESSIONS_READ_ONLY: 'Read only',
  AGENT_SESSIONS_BACKEND: 'Backends',
  AGENT_SESSIONS_CONFIG: 'Configuration file',
  GOOGLE_CLOUD_PROJECT: 'Google Cloud project',
  GOOGLE_CLOUD_LOCATION: 'Google Cloud location',
  GOOGLE_CLOUD_AGENT_ENGINE_ID: 'Agent Engine',
  GOOGLE_API_KEY: 'Google API key',
  ADK_API_SERVER_URL: 'ADK API server',
  ADK_APP: 'ADK agent',
  ADK_API_TOKEN: 'Token for the ADK API server',
  VECTARA_API_KEY: 'Vectara API key',
  VECTARA_AGENT: 'Vectara agent',
};

/** The manifest of the MCPB bundle. https://github.com/modelcontextprotocol/mcpb/blob/main/MANIFEST.md */
export function bundleManifest(): string {
  const fields = variables.filter(({ env }) => env in asked);
  const keyOf = (env: string): string => env.toLowerCase();
  const fieldOf = (variable: Variable) => {
    const about = { title: asked[variable.env], description: sentence(variable.help), required: false };
    // An optional text without a default would reach the server as the name of its place.
    return typeof variable.otherwise === 'boolean'
      ? { type: 'boolean', ...about, default: variable.otherwise }
      : {
          type: 'string',
          ...about,
          ...(variable.secret === true ? { sensitive: true } : {}),
          default: defaultOf(variable) ?? '',
        };
  };
  return text({
    manifest_version: '0.3',
    name: manifest.name,
    display_name: 'Agent sessions',
    version: manifest.version,
    description: shortDescription,
    long_description: manifest.description,
    author: { name: 'The agent-sessions-mcp authors', url: repository },
    repository: { type: 'git', url: `${repository}.git` },
    documentation: `${repository}#readme`,
    support: `${repository}/issues`,
    license: manifest.license,
    keywords: ['sessions', 'memory', 'agents', 'conversation'],
    server: {
      type: 'node',
      entry_point: 'dist/launcher.cjs',
      mcp_config: {
        command: 'node',
        // biome-ignore lint/suspicious/noTemplateCurlyInString: the host fills it in
        args: ['${__dirname}/dist/launcher.cjs'],
        env: Object.fromEntries(fields.map(({ env }) => [env, `\${user_config.${keyOf(env)}}`])),
      },
    },
    tools: allTools.map(({ name, description }) => ({
      name,
      description: /^.*?\.(?= |$)/s.exec(description)?.[0] ?? description,
    })),
    tools_generated: true,
    prompts_generated: true,
    compatibility: { platforms: ['darwin', 'linux', 'win32'], runtimes: { node: '>=18.0.0' } },
    user_config: Object.fromEntries(fields.map((field) => [keyOf(field.env), fieldOf(field)])),
  });
}

const text = (content: object): string => `${JSON.stringify(content, undefined, 2)}\n`;
