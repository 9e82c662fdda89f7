import { describe, expect, it } from 'vitest';
import { type Block, blocksOf } from '../../src/page/model/markdown.ts';
import { plainName, shownText } from '../../src/page/model/text.ts';

const linksIn = (text: string): string[] => JSON.stringify(blocksOf(text)).match(/"url":"[^"]*"/g) ?? [];
const textIn = (blocks: Block[]): string =>
  (JSON.stringify(blocks).match(/"text":"((?:[^"\\]|\\.)*)"/g) ?? [])
    .map((found) => JSON.parse(`{${found}}`).text)
    .join('');

describe('Markdown of stored texts', () => {
  it('keeps the shapes that people write', () => {
    expect(
      blocksOf('# Plan\n\nPack **boots** and `rope`.\n\n- [x] done\n- [ ] open\n\n> said\n\n---').map(
        ({ kind }) => kind,
      ),
    ).toEqual(['heading', 'paragraph', 'list', 'quote', 'rule']);
    expect(blocksOf('- [x] done\n- [ ] open')).toMatchObject([
      { items: [{ checked: true }, { checked: false }] },
    ]);
    expect(blocksOf('|a|b|\n|-|-:|\n|1|2|')).toMatchObject([
      { kind: 'table', head: [{}, { align: 'right' }] },
    ]);
    expect(textIn(blocksOf('Fish &amp; chips &#x2764; \\*no\\*'))).toBe('Fish & chips ❤ *no*');
  });

  it.each([
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '<svg/onload=alert(1)>',
    'a <b onclick="x()">b</b> c',
    '<style>* { display: none }</style>',
    '<a href="javascript:alert(1)">x</a>',
  ])('shows markup as the text that it is: %s', (text) => {
    expect(textIn(blocksOf(text))).toBe(text);
  });

  it.each([
    '[x](javascript:alert(1))',
    '[x](JaVaScRiPt:alert(1))',
    '[x](java&#x0a;script:alert(1))',
    '[x](data:text/html,<script>alert(1)</script>)',
    '[x](vbscript:msgbox)',
    '[x](file:///etc/passwd)',
    '[x](//evil.example)',
    '![x](javascript:alert(1))',
    '<javascript:alert(1)>',
    '[x]: javascript:alert(1)\n\n[x]',
  ])('makes no link of %s', (text) => {
    expect(linksIn(text)).toEqual([]);
  });

  it('makes links of web addresses only, as they really are', () => {
    expect(linksIn('[x](https://bänk.example/a?b=1&amp;c=2) <me@a.example>')).toEqual([
      '"url":"https://xn--bnk-qla.example/a?b=1&c=2"',
      '"url":"mailto:me@a.example"',
    ]);
    expect(linksIn('![cat](https://a.example/cat.png)')).toHaveLength(1);
  });

  it('takes texts that are made to keep a parser busy, or to fill its stack', () => {
    for (const piece of ['*a', '_a_', '[', '> ', '`', '<a ', '- ', '1. ', '![](', '|', '~~'])
      expect(blocksOf(piece.repeat(20_000)).length, piece).toBeGreaterThan(0);
    expect(blocksOf('x'.repeat(1_000_000))).toMatchObject([{ kind: 'code' }]);
  });

  it('shows what reorders texts or hides in them', () => {
    expect(plainName('report\u202efdp.exe')).toBe('report⟨202E⟩fdp.exe');
    expect(plainName('a\u{e0041}\nb')).toBe('a⟨E0041⟩ b');
    expect(shownText('شكرا‌ 👩‍🚀\n\u202eback')).toBe('شكرا‌ 👩‍🚀\n⟨202E⟩back');
  });
});
