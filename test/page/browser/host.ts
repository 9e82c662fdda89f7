/** A host of MCP Apps, as small as one can be: the official bridge, an iframe, and a way to the real server. */
import { AppBridge, PostMessageTransport } from '@modelcontextprotocol/ext-apps/app-bridge';

/** What the test gives the host, from outside the browser. */
interface Outside {
  callTool(params: { name: string; arguments?: Record<string, unknown> | undefined }): Promise<object>;
  opened(url: string): Promise<void>;
  sized(height: number | undefined): Promise<void>;
}

const outside = globalThis as unknown as Outside;

/** Shows an app as the result of a tool call, and resolves to the bridge when the app has introduced itself. */
async function show(
  html: string,
  theme: 'light' | 'dark',
  call: { name: string; arguments: Record<string, unknown> },
) {
  const frame = document.createElement('iframe');
  frame.setAttribute('sandbox', 'allow-scripts');
  frame.title = 'App';
  frame.style.cssText = 'width: 100%; height: 700px; border: 0';
  frame.srcdoc = html;
  document.body.replaceChildren(frame);
  const { contentWindow } = frame;
  if (contentWindow === null) throw new Error('The iframe has no window.');
  const bridge = new AppBridge(
    null,
    { name: 'test-host', version: '1' },
    { serverTools: {}, openLinks: {} },
    {
      hostContext: {
        theme,
        displayMode: 'inline',
        availableDisplayModes: ['inline', 'fullscreen'],
        containerDimensions: { maxHeight: 700, width: 900 },
        toolInfo: { tool: { name: call.name, inputSchema: { type: 'object' } } },
        timeZone: 'Asia/Tokyo',
        locale: 'en-GB',
      },
    },
  );
  bridge.oncalltool = async (params) => (await outside.callTool(params)) as never;
  bridge.onopenlink = async ({ url }) => {
    await outside.opened(url);
    return {};
  };
  bridge.onrequestdisplaymode = async ({ mode }) => {
    bridge.setHostContext({ displayMode: mode });
    return { mode };
  };
  bridge.onsizechange = ({ height }) => void outside.sized(height);
  const initialized = new Promise<void>((resolve) => {
    bridge.oninitialized = () => resolve();
  });
  await bridge.connect(new PostMessageTransport(contentWindow, contentWindow));
  await initialized;
  await bridge.sendToolInput({ arguments: call.arguments });
  await bridge.sendToolResult((await outside.callTool(call)) as never);
  Object.assign(globalThis, {
    setTheme: (changed: 'light' | 'dark') => bridge.setHostContext({ theme: changed }),
  });
}

Object.assign(globalThis, { show });
