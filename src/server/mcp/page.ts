import type { McpServer } from '@modelcontextprotocol/server';

/** Loads the session page: one HTML document with all that it needs inside. */
export type LoadPage = () => Promise<string>;

const pageUri = 'ui://sessions';
const mimeType = 'text/html;profile=mcp-app';

/** What a server with a page declares: https://apps.extensions.modelcontextprotocol.io (MCP Apps). */
export const pageExtension = { 'io.modelcontextprotocol/ui': { mimeTypes: [mimeType] } };

/** Tools whose results a host can show on the page. Hosts without MCP Apps pass over the mark. */
const shownTools: readonly string[] = ['list_sessions', 'get_session', 'list_events', 'search_events'];

export const pageMark = (tool: string): { _meta?: { ui: { resourceUri: string } } } =>
  shownTools.includes(tool) ? { _meta: { ui: { resourceUri: pageUri } } } : {};

/** The page as a resource. It needs no origin: it calls tools through its host. */
export function registerPage(server: McpServer, load: LoadPage): void {
  const about = {
    title: 'Session page',
    description: 'What hosts with MCP Apps show of sessions',
    mimeType,
    _meta: { ui: { csp: { connectDomains: [], resourceDomains: [] }, prefersBorder: true } },
  };
  server.registerResource('session-page', pageUri, about, async () => ({
    contents: [{ uri: pageUri, mimeType, text: await load(), _meta: about._meta }],
  }));
}
