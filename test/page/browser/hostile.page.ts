import { describe, expect, it } from 'vitest';
import { addressOf, call, expectAccessible, newSession, useBrowser, useProduct, visit } from './harness.ts';

const attacks = [
  '<script>window.hacked = 1</script>',
  '<img src=x onerror="window.hacked = 1">',
  '<svg onload="window.hacked = 1"><script>window.hacked = 1</script></svg>',
  '<style>* { display: none !important }</style><link rel=stylesheet href=https://evil.example/x.css>',
  '<iframe srcdoc="<script>parent.hacked = 1</script>"></iframe><base href="https://evil.example/">',
  '![beacon](https://evil.example/beacon.png) ![x](javascript:window.hacked=1)',
  '[click](javascript:window.hacked=1) [me](data:text/html,<script>opener.hacked=1</script>) <javascript:alert(1)>',
  '"><b onmouseover=window.hacked=1>hover</b>{{constructor.constructor("window.hacked=1")()}}',
  'user\u202emoc.live\u202c pays \u{e0069}\u{e0067}\u{e006e}\u{e006f}\u{e0072}\u{e0065} invoice\u2066\u2069',
  `${'> '.repeat(3000)}deep`,
  `${'_a_'.repeat(15_000)}`,
  `${'A'.repeat(1_000_000)}`,
  `a${'\u0301'.repeat(2000)} zalgo`,
  '</div></article></body><h1>Fake page</h1><form action=https://evil.example><input name=token></form>',
  '<a href="https://evil.example" target=_top ping=https://evil.example/p>x</a><meta http-equiv=refresh content="0;url=https://evil.example">',
];

describe('a session written to attack who reads it', () => {
  const browser = useBrowser();
  const product = useProduct();

  it('is shown as the text that it is: nothing runs, nothing is fetched, nothing is hidden', async () => {
    const { port } = product();
    const name = '<img src=x onerror=window.hacked=1>\u202egnp.exe';
    const sessionId = await newSession(port, {
      displayName: name,
      labels: { env: 'x' },
      state: { '<b>key</b>': '<script>' },
    });
    for (const [i, text] of attacks.entries())
      await call(port, 'append_event', {
        sessionId,
        author: i % 3 === 0 ? `<script>window.hacked=1</script>${i}` : 'user',
        text,
        stateDelta: { [`__proto__<i>${i}</i>`]: text.slice(0, 200) },
        fields: { branch: '<b>.\u202eb', errorMessage: i === 2 ? attacks[0] : undefined },
      });
    const parts = [
      { functionCall: { id: 'c', name: '<img src=x onerror=window.hacked=1>', args: { '<b>': attacks[1] } } },
    ];
    await call(port, 'append_event', { sessionId, author: 'agent', content: { role: 'model', parts } });
    const svg =
      '<svg xmlns="http://www.w3.org/2000/svg" onload="window.hacked=1" width="9" height="9"><style>@import url(https://evil.example/a.css)</style></svg>';
    const data = Buffer.from(svg).toString('base64');
    await call(port, 'append_event', {
      sessionId,
      author: 'agent',
      content: {
        role: 'model',
        parts: [
          { inlineData: { mimeType: 'image/svg+xml', data, displayName: '<b>pic</b>' } },
          {
            inlineData: {
              mimeType: 'text/html',
              data: Buffer.from('<script>hacked=1</script>').toString('base64'),
            },
          },
        ],
      },
    });
    await call(port, 'save_artifact', {
      sessionId,
      name: '<b>/../x.html',
      mimeType: 'text/html',
      text: attacks[0],
    });

    const { page, faults } = await visit(browser(), addressOf(port, { session: sessionId }));
    const feed = page.getByRole('feed', { name: 'Conversation' });
    await feed.getByRole('article').first().waitFor();
    const total = attacks.length + 2;
    // Every entry is looked at, from the last to the first.
    await feed.focus();
    await page.keyboard.press('End');
    const seen = new Set<string>();
    let offered = false;
    for (let i = 0; i < total; i += 1) {
      for (const text of await feed.getByRole('article').allTextContents()) seen.add(text.slice(0, 400));
      for (const summary of await feed.locator('.tool-call > details:not([open]) > summary').all())
        await summary.click();
      offered ||= (await feed.getByRole('button', { name: /^Show all/ }).count()) > 0;
      await page.keyboard.press('ArrowUp');
    }
    await page.keyboard.press('Home');
    await feed.getByText('<script>window.hacked = 1</script>', { exact: true }).first().waitFor();
    for (const text of await feed.getByRole('article').allTextContents()) seen.add(text.slice(0, 400));
    const all = [...seen].join('\n');
    expect(all).toContain('<img src=x onerror="window.hacked = 1">');
    expect(all).toContain('[click](javascript:window.hacked=1)');
    expect(all).toContain('⟨202E⟩');
    expect(all).toContain('⟨E0069⟩');
    expect(offered).toBe(true);

    for (const view of ['Time', 'State', 'Files', 'Forks']) {
      await page.getByRole('tab', { name: view }).click();
      await page
        .getByRole('tabpanel')
        .getByRole('group')
        .or(page.getByRole('tabpanel').getByRole('slider'))
        .first()
        .waitFor();
      await expectAccessible(page, view);
    }
    await page.getByRole('tab', { name: 'Files' }).click();
    const files = page.getByRole('tabpanel');
    await files.getByText('x.html').click();
    await files.getByText('<script>window.hacked = 1</script>').waitFor();

    const found = await page.evaluate(() => ({
      hacked: 'hacked' in window,
      elements: document.querySelectorAll(
        '#page script, #page iframe, #page form, #page link, #page base, #page meta, #page style, #page a',
      ).length,
      heading: [...document.querySelectorAll('h1')].map((one) => one.textContent),
      polluted: Object.keys(Object.prototype),
    }));
    expect(found).toEqual({
      hacked: false,
      elements: 0,
      heading: ['<img src=x onerror=window.hacked=1>⟨202E⟩gnp.exe'],
      polluted: [],
    });
    expect(faults).toEqual([]);
  });

  it('shows a text of a million characters piece by piece, when somebody asks', async () => {
    const { port } = product();
    const sessionId = await newSession(port);
    await call(port, 'append_event', { sessionId, text: 'x'.repeat(1_000_000) });
    const { page, faults } = await visit(browser(), addressOf(port, { session: sessionId }));
    await page.getByRole('button', { name: /^Show all \(99\d,\d+ more characters\)$/ }).click();
    await page.getByRole('button', { name: /^Show more \(980,000 characters left\)$/ }).click();
    await page.getByRole('button', { name: /^Show more \(960,000/ }).waitFor();
    expect(faults).toEqual([]);
  });
});
