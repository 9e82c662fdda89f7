import { readFile } from 'node:fs/promises';
import path from 'node:path';
import {
  type McpServer,
  ProtocolError,
  ProtocolErrorCode,
  ResourceNotFoundError,
  ResourceTemplate,
} from '@modelcontextprotocol/server';
import type { SkillCatalog } from '@modelcontextprotocol/server/ext/skills';
import * as z from 'zod';
import type { Log } from '../../log.ts';

/** Skills teach agents to use the tools well. Hosts that know none find them as resources. */
export interface Skills {
  /** Before the server is connected. */
  attach(server: McpServer): void;
}

const extension = 'io.modelcontextprotocol/skills';
const scheme = 'skill://';
const cached = { ttlMs: 3_600_000, cacheScope: 'public' } as const;

/** What a server with skills declares: https://modelcontextprotocol.io/extensions (SEP-2640). */
export const skillsExtension = { [extension]: {} };

/**
 * Serves the skills in a folder, each a folder of its own with a `SKILL.md` (https://agentskills.io/specification).
 * Nothing is read before somebody asks: the SDK's own `attach` wants its catalogue at the start, which would make
 * every start a tenth slower.
 */
export function openSkills(folder: string, log: Log): Skills {
  let loading: Promise<SkillCatalog> | undefined;
  async function entries(): Promise<SkillCatalog['entries']> {
    const { loadSkills } = await import('@modelcontextprotocol/server/ext/skills/node');
    const onWarning = ({ message }: { message: string }) =>
      log.warn('A skill is not as it should be.', { message });
    loading ??= loadSkills(folder, { onWarning });
    return (await loading).entries;
  }

  async function list() {
    const resources = (await entries()).map(({ uri, frontmatter }) => ({
      uri,
      name: frontmatter.name,
      description: frontmatter.description,
      mimeType: 'text/markdown',
    }));
    return { resources };
  }

  async function read({ href: uri }: URL) {
    const files = (await entries()).flatMap(({ resources }) => (Array.isArray(resources) ? resources : []));
    if (!files.some((file) => file.uri === uri)) throw new ResourceNotFoundError(uri);
    const text = await readFile(path.join(folder, decodeURIComponent(uri.slice(scheme.length))), 'utf8');
    return { contents: [{ uri, mimeType: 'text/markdown', text }] };
  }

  return {
    attach(server) {
      const template = new ResourceTemplate(`${scheme}{+path}`, { list });
      server.registerResource('skill', template, { cacheHint: cached }, read);
      server.server.setRequestHandler('skills/list', { params: z.looseObject({}) }, async () => ({
        skills: [...(await entries())],
        ...cached,
      }));
      server.server.setRequestHandler(
        'skills/get',
        { params: z.looseObject({ uri: z.string() }) },
        async ({ uri }) => {
          const skill = (await entries()).find((entry) => entry.uri === uri);
          if (skill === undefined)
            throw new ProtocolError(ProtocolErrorCode.InvalidParams, 'No skill is served at this address.');
          return { skill, ...cached };
        },
      );
    },
  };
}
