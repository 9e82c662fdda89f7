import { batch, effect, signal } from '@preact/signals';
import { render } from 'preact';
import { keepToken, keptToken, readAddress, writeAddress } from './address.ts';
import { type AppBridge, openAppBridge } from './bridge/app.ts';
import { exchangeKey, httpBridge } from './bridge/http.ts';
import type { Bridge, Occasion, Surroundings } from './bridge/types.ts';
import { openCalls } from './live/calls.ts';
import { openSession } from './live/open-session.ts';
import type { Ref } from './live/refs.ts';
import { openSessionList } from './live/session-list.ts';
import { textOfFailure } from './views/failure.tsx';
import { Page } from './views/page.tsx';
import { nowEvery, PageContext, type PageState, viewNames } from './views/page-context.ts';
import { titleOf } from './views/questions.ts';

/** Pixels that the page takes inside a host that does not say how many it may. */
const hostHeight = 600;
const noticeMs = 8000;

function createPage(bridge: Bridge, host: AppBridge | undefined): PageState {
  const calls = openCalls(bridge);
  const page: PageState = {
    calls,
    host,
    list: openSessionList(calls),
    opened: signal(undefined),
    view: signal('conversation'),
    target: signal(undefined),
    question: signal(undefined),
    notice: signal(undefined),
    where: signal({}),
    now: nowEvery(20_000),
    displayMode: signal(undefined),
    open(ref, view = 'conversation') {
      page.opened.value?.close();
      batch(() => {
        page.target.value = undefined;
        page.view.value = view;
        page.opened.value = ref === undefined ? undefined : openSession(calls, ref);
      });
    },
    async attempt(work) {
      const tell = (text: string, isBad: boolean) => {
        const notice = { text, isBad };
        page.notice.value = notice;
        setTimeout(() => {
          if (page.notice.value === notice && !isBad) page.notice.value = undefined;
        }, noticeMs);
      };
      try {
        const done = await work();
        if (done !== undefined) tell(done, false);
      } catch (error) {
        tell(textOfFailure(error), true);
      }
    },
    async signIn(token) {
      keepToken(token);
      await page.attempt(async () => {
        await calls.greet();
        void page.list.refresh();
        void page.opened.value?.reload();
        return undefined;
      });
    },
  };
  return page;
}

/** Begins with what the host opened the page for. */
function follow(page: PageState, { tool, args, result }: Occasion): void {
  const text = (name: string) => (typeof args[name] === 'string' ? args[name] : undefined);
  const scope = { app: text('app'), userId: text('userId'), backend: text('backend') };
  const sessionId = text('sessionId');
  if (tool === 'list_sessions') {
    page.list.show(result ?? {});
    page.list.choose({
      app: scope.app,
      backend: scope.backend,
      filter: text('filter') ?? '',
      words: text('query') ?? '',
    });
  } else if (tool === 'search_events' && text('query') !== undefined)
    page.list.choose({ words: text('query') ?? '' });
  else if (sessionId !== undefined) page.open({ sessionId, ...scope });
}

function fitInto(
  { theme, height, displayMode, variables, timeZone, locale }: Surroundings,
  page: PageState,
): void {
  const root = document.documentElement;
  if (theme !== undefined) root.dataset.theme = theme;
  root.dataset.host = 'true';
  const pixels = displayMode === 'fullscreen' ? undefined : Math.min(height ?? hostHeight, hostHeight);
  root.style.setProperty('--page-height', pixels === undefined ? '100vh' : `${pixels}px`);
  for (const [name, value] of Object.entries(variables ?? {}))
    if (name.startsWith('--') && typeof value === 'string') root.style.setProperty(name, value);
  page.where.value = { timeZone, locale };
  page.displayMode.value = displayMode;
  if (pixels !== undefined) page.host?.sized(pixels);
}

function show(page: PageState): void {
  const place = document.getElementById('page');
  if (place === null) return;
  render(
    <PageContext.Provider value={page}>
      <Page />
    </PageContext.Provider>,
    place,
  );
}

async function startInHost(): Promise<void> {
  let page: PageState | undefined;
  // What it was opened for may come before it is known what the server can do.
  let isGreeted = false;
  let early: Occasion | undefined;
  const host = await openAppBridge(window.parent, {
    onSurroundings: (changed) => page && fitInto(changed, page),
    onOccasion(occasion) {
      if (page === undefined || !isGreeted) early = occasion;
      else follow(page, occasion);
    },
    onTeardown: () => page?.open(undefined),
  });
  page = createPage(host, host);
  fitInto(host.surroundings, page);
  show(page);
  const { calls } = page;
  await page.attempt(async () => void (await calls.greet()));
  isGreeted = true;
  void page.list.refresh();
  if (early !== undefined) follow(page, early);
}

async function startInBrowser(endpoint: string): Promise<void> {
  const { key, view, event, ...ref } = readAddress();
  const url = new URL(endpoint, location.href).href;
  if (key !== undefined) {
    const token = await exchangeKey(key).catch(() => undefined);
    if (token !== undefined) keepToken(token);
    writeAddress({ ...ref });
  }
  const page = createPage(httpBridge(url, keptToken), undefined);
  effect(() => {
    const session = page.opened.value?.session.value;
    document.title = session === undefined ? 'Sessions' : titleOf(session);
  });
  const begin = (address: ReturnType<typeof readAddress>) => {
    const { sessionId, app, userId, backend } = address;
    page.open(
      sessionId === undefined ? undefined : { sessionId, app, userId, backend },
      viewNames.find((name) => name === address.view),
    );
    if (address.event !== undefined) page.target.value = { key: address.event };
  };
  show(page);
  await page.calls.greet().catch(() => {});
  void page.list.refresh();
  begin({ ...ref, view, event, key: undefined });
  let written = location.hash;
  effect(() => {
    const opened: Ref | undefined = page.opened.value?.ref;
    const current = page.view.value;
    written = writeAddress({ ...opened, view: opened && current !== 'conversation' ? current : undefined });
  });
  window.addEventListener('hashchange', () => {
    if (location.hash !== written) begin(readAddress());
  });
}

const endpoint = document.querySelector<HTMLMetaElement>('meta[name="mcp-endpoint"]')?.content;
void (endpoint === undefined ? startInHost() : startInBrowser(endpoint));
