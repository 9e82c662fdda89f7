import { isObject, type JsonObject } from '../../model/json.ts';
import { base64Of } from '../model/base64.ts';
import { resultOf, structuredOf } from './result.ts';
import { type Bridge, CallFailure, type Occasion, type Surroundings } from './types.ts';

/** https://apps.extensions.modelcontextprotocol.io (MCP Apps, 2026-01-26) */
const protocolVersion = '2026-01-26';
/** Milliseconds that a host has for `ui/initialize`. */
const greetingMs = 10_000;

export interface AppBridge extends Bridge {
  surroundings: Surroundings;
  /** Tells the host how high the page is. */
  sized(height: number): void;
  /** Asks the host to show the page larger or smaller; the host decides. */
  requestDisplayMode(mode: string): Promise<void>;
}

export interface AppEvents {
  onSurroundings(changed: Surroundings): void;
  onOccasion(occasion: Occasion): void;
  onTeardown(): void;
}

interface Waiting {
  resolve(result: unknown): void;
  reject(error: CallFailure): void;
  onProgress?: ((message: string) => void) | undefined;
}

/**
 * Speaks to a host over postMessage. Written by hand, because the App class of ext-apps with what it needs is 653 kB.
 * @throws CallFailure UNAVAILABLE when no host answers
 */
export async function openAppBridge(host: Window, events: AppEvents): Promise<AppBridge> {
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let surroundings: Surroundings = {};
  const occasion: Occasion = { args: {} };
  // The host may be of any origin; what counts is that it is the window that holds this one.
  const send = (message: JsonObject) => host.postMessage({ jsonrpc: '2.0', ...message }, '*');
  const notify = (method: string, params: JsonObject = {}) => send({ method, params });

  function request(
    method: string,
    params: JsonObject,
    {
      signal,
      onProgress,
    }: {
      signal?: AbortSignal | undefined;
      onProgress?: ((message: string) => void) | undefined;
    } = {},
  ): Promise<unknown> {
    lastId += 1;
    const id = lastId;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject, onProgress });
      signal?.addEventListener('abort', () => {
        if (!waiting.delete(id)) return;
        notify('notifications/cancelled', { requestId: id, reason: 'No longer wanted.' });
        reject(new CallFailure('CANCELLED', 'The call was cancelled.'));
      });
      const _meta = onProgress === undefined ? {} : { _meta: { progressToken: id } };
      send({ id, method, params: { ...params, ..._meta } });
    });
  }

  function settle({ id, result, error }: JsonObject): void {
    const one = waiting.get(Number(id));
    waiting.delete(Number(id));
    if (isObject(error)) one?.reject(failureOf(error));
    else one?.resolve(result);
  }

  function hear(method: string, params: JsonObject, id: unknown): void {
    const answer = (result: JsonObject) => send({ id, result });
    if (method === 'ping') answer({});
    else if (method === 'ui/resource-teardown') {
      events.onTeardown();
      answer({});
    } else if (method === 'notifications/progress')
      waiting.get(Number(params.progressToken))?.onProgress?.(String(params.message ?? ''));
    else if (method === 'ui/notifications/host-context-changed') {
      surroundings = { ...surroundings, ...surroundingsOf(params) };
      events.onSurroundings(surroundings);
    } else if (method === 'ui/notifications/tool-input')
      occasion.args = isObject(params.arguments) ? params.arguments : {};
    else if (method === 'ui/notifications/tool-result') {
      occasion.result = params.isError === true ? undefined : structuredOf(params);
      events.onOccasion({ ...occasion });
    } else if (id !== undefined) send({ id, error: { code: -32601, message: 'Method not found' } });
  }

  window.addEventListener('message', ({ source, data }) => {
    if (source !== host || !isObject(data) || data.jsonrpc !== '2.0') return;
    if (typeof data.method !== 'string') settle(data);
    else hear(data.method, isObject(data.params) ? data.params : {}, data.id);
  });

  const greeted = await withTimeout(
    request('ui/initialize', {
      protocolVersion,
      appInfo: { name: 'agent-sessions-page', version: '1' },
      appCapabilities: { availableDisplayModes: ['inline', 'fullscreen'] },
    }),
    greetingMs,
  );
  const { hostContext, hostCapabilities } = isObject(greeted) ? greeted : {};
  const context = isObject(hostContext) ? hostContext : {};
  const can = isObject(hostCapabilities) ? hostCapabilities : {};
  surroundings = surroundingsOf(context);
  if (isObject(context.toolInfo) && isObject(context.toolInfo.tool))
    occasion.tool = String(context.toolInfo.tool.name);
  notify('ui/notifications/initialized');

  const call: Bridge['call'] = async (name, args, options) =>
    resultOf(await request('tools/call', { name, arguments: args }, options));

  return {
    kind: 'app',
    get surroundings() {
      return surroundings;
    },
    async tools() {
      const { tools } = await call('describe_server', {});
      return new Map((Array.isArray(tools) ? tools : []).map((name) => [String(name), undefined]));
    },
    call,
    openLink: (url) => void request('ui/open-link', { url }).catch(() => {}),
    async saveFile(name, mimeType, content) {
      if (can.downloadFile === undefined)
        throw new CallFailure('UNIMPLEMENTED', 'This host cannot save files.', {
          hint: 'Open the page in a browser: agent-sessions-mcp open.',
        });
      const resource = { uri: `file:///${encodeURIComponent(name)}`, mimeType, blob: base64Of(content) };
      await request('ui/download-file', { contents: [{ type: 'resource', resource }] });
    },
    sized: (height) => notify('ui/notifications/size-changed', { height }),
    async requestDisplayMode(mode) {
      await request('ui/request-display-mode', { mode });
    },
  };
}

function failureOf({ code, message }: JsonObject): CallFailure {
  // Request time-out and closed connection, as the SDK's hosts report them.
  const lost = code === -32001 || code === -32000;
  return new CallFailure(lost ? 'UNAVAILABLE' : 'INTERNAL', String(message ?? 'The host refused the call.'));
}

function surroundingsOf(context: JsonObject): Surroundings {
  const { theme, containerDimensions, timeZone, locale, displayMode, availableDisplayModes, styles } =
    context;
  const size = isObject(containerDimensions) ? containerDimensions : {};
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  const found: Surroundings = {
    theme: theme === 'dark' || theme === 'light' ? theme : undefined,
    height: [size.height, size.maxHeight].find((value) => typeof value === 'number'),
    timeZone: text(timeZone),
    locale: text(locale),
    displayMode: text(displayMode),
    displayModes: Array.isArray(availableDisplayModes) ? availableDisplayModes.map(String) : undefined,
    variables:
      isObject(styles) && isObject(styles.variables)
        ? (styles.variables as Record<string, string | undefined>)
        : undefined,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

function withTimeout<T>(work: Promise<T>, ms: number): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new CallFailure('UNAVAILABLE', 'The host does not answer.')), ms);
  });
  return Promise.race([work, late]);
}
