import { Lexer, type Token, type Tokens } from 'marked';

/** What may become of a Markdown text: these shapes and no others. The view makes one element of each. */
export type Block =
  | { kind: 'paragraph' | 'quote-text'; inline: Inline[] }
  | { kind: 'heading'; depth: number; inline: Inline[] }
  | { kind: 'code'; language: string; text: string }
  | { kind: 'quote'; blocks: Block[] }
  | { kind: 'list'; ordered: boolean; start: number; items: { checked?: boolean; blocks: Block[] }[] }
  | { kind: 'table'; head: Cell[]; rows: Cell[][] }
  | { kind: 'rule' };

export interface Cell {
  align: 'left' | 'center' | 'right' | undefined;
  inline: Inline[];
}

export type Inline =
  | { kind: 'text' | 'code'; text: string }
  | { kind: 'strong' | 'emphasis' | 'deleted'; inline: Inline[] }
  | { kind: 'link'; url: string; inline: Inline[] }
  | { kind: 'break' };

/** Lists and quotes within one another. */
const deepest = 12;

/** Reads the safe subset of Markdown. HTML stays text, and images are links: nothing is ever fetched. */
export function blocksOf(text: string): Block[] {
  if (isTooHard(text)) return [{ kind: 'code', language: '', text }];
  return blocks(Lexer.lex(text, { gfm: true, breaks: true }), 0);
}

/** Longer texts nobody reads for their layout. */
const longestText = 50_000;
/** The time of the parser grows with the square of the signs in one paragraph. */
const [longestParagraph, mostSigns] = [3000, 400];
/** And its stack with what is nested on one line. */
const nested = /^(?:[ \t]*(?:>|[-*+]|\d{1,9}[.)])){20}/m;

/** Whether a text is made to keep a parser busy, or is only long: it is shown as it was written. */
const isTooHard = (text: string): boolean =>
  text.length > longestText ||
  nested.test(text) ||
  text
    .split(/\n[ \t]*\n/)
    .some(
      (part) =>
        part.length > longestParagraph &&
        (part.match(/[*_~`[\]<>&|\\]/g)?.length ?? 0) > mostSigns &&
        !/^```/.test(part),
    );

function blocks(tokens: readonly Token[], depth: number): Block[] {
  return tokens.flatMap((token): Block[] => {
    if (depth > deepest) return [plain(token.raw)];
    switch (token.type) {
      case 'space':
      case 'def':
        return [];
      case 'heading':
        return [{ kind: 'heading', depth: (token as Tokens.Heading).depth, inline: inlineOf(token) }];
      case 'paragraph':
        return [{ kind: 'paragraph', inline: inlineOf(token) }];
      // The text of a tight list item.
      case 'text':
        return [{ kind: 'quote-text', inline: inlineOf(token) }];
      case 'code': {
        const { lang, text } = token as Tokens.Code;
        return [{ kind: 'code', language: lang ?? '', text }];
      }
      case 'blockquote':
        return [{ kind: 'quote', blocks: blocks((token as Tokens.Blockquote).tokens, depth + 1) }];
      case 'list': {
        const { ordered, start, items } = token as Tokens.List;
        return [
          {
            kind: 'list',
            ordered,
            start: Number(start) || 1,
            items: items.map((item) => ({
              ...(item.task ? { checked: item.checked === true } : {}),
              blocks: blocks(
                item.tokens.filter(({ type }) => type !== 'checkbox'),
                depth + 1,
              ),
            })),
          },
        ];
      }
      case 'table': {
        const { header, rows } = token as Tokens.Table;
        return [{ kind: 'table', head: header.map(cellOf), rows: rows.map((row) => row.map(cellOf)) }];
      }
      case 'hr':
        return [{ kind: 'rule' }];
      default:
        return [plain(token.raw)];
    }
  });
}

const plain = (text: string): Block => ({ kind: 'paragraph', inline: [{ kind: 'text', text }] });

const cellOf = ({ align, tokens }: Tokens.TableCell): Cell => ({
  align: align ?? undefined,
  inline: inlines(tokens, 0),
});

function inlineOf(token: Token): Inline[] {
  const tokens = 'tokens' in token ? token.tokens : undefined;
  return tokens === undefined ? [{ kind: 'text', text: unescaped(token.raw) }] : inlines(tokens, 0);
}

function inlines(tokens: readonly Token[], depth: number): Inline[] {
  return tokens.flatMap((token): Inline[] => {
    const within = () => inlines(('tokens' in token ? token.tokens : undefined) ?? [], depth + 1);
    if (depth > deepest) return [{ kind: 'text', text: token.raw }];
    switch (token.type) {
      case 'strong':
        return [{ kind: 'strong', inline: within() }];
      case 'em':
        return [{ kind: 'emphasis', inline: within() }];
      case 'del':
        return [{ kind: 'deleted', inline: within() }];
      case 'codespan':
        return [{ kind: 'code', text: (token as Tokens.Codespan).text }];
      case 'br':
        return [{ kind: 'break' }];
      case 'link':
        return linkOf((token as Tokens.Link).href, within(), token.raw);
      case 'image': {
        const { href, text } = token as Tokens.Image;
        return linkOf(href, [{ kind: 'text', text: text || href }], token.raw);
      }
      case 'escape':
        return [{ kind: 'text', text: (token as Tokens.Escape).text }];
      case 'text':
        return 'tokens' in token && token.tokens !== undefined
          ? within()
          : [{ kind: 'text', text: unescaped(token.raw) }];
      default:
        return [{ kind: 'text', text: token.raw }];
    }
  });
}

/** Only addresses of the web and of mail are links; whatever else calls itself one is shown as it was written. */
function linkOf(href: string, inline: Inline[], raw: string): Inline[] {
  const url = URL.parse(unescaped(href));
  if (url === null || !/^(https?|mailto):$/.test(url.protocol)) return [{ kind: 'text', text: raw }];
  return [{ kind: 'link', url: url.href, inline }];
}

const entities: Readonly<Record<string, string>> = {
  amp: '&',
  lt: '<',
  gt: '>',
  quot: '"',
  apos: "'",
  nbsp: '\u00a0',
};

/** Markdown knows the characters of HTML; the view writes texts and no HTML, so they are read here. */
function unescaped(text: string): string {
  return text.replace(/&(?:#(\d{1,7})|#x([\da-f]{1,6})|(\w{2,5}));/gi, (whole, decimal, hex, name) => {
    if (name !== undefined) return entities[String(name).toLowerCase()] ?? whole;
    const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff)
      ? String.fromCodePoint(code)
      : whole;
  });
}
