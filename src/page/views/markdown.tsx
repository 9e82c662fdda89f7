import type { ComponentChild, VNode } from 'preact';
import { useMemo } from 'preact/hooks';
import { type Block, blocksOf, type Cell, type Inline } from '../model/markdown.ts';
import { shownText } from '../model/text.ts';
import { LongText } from './long-text.tsx';
import { usePage } from './page-context.ts';

/** A text that somebody wrote, as Markdown. Elements are made one by one: no text ever becomes markup. */
export function Markdown({ text }: { text: string }) {
  const blocks = useMemo(() => blocksOf(text), [text]);
  return (
    <div class="markdown" dir="auto">
      {blocks.map((block, i) => (
        <BlockView key={i} block={block} />
      ))}
    </div>
  );
}

function BlockView({ block }: { block: Block }): VNode {
  switch (block.kind) {
    case 'paragraph':
      return <p dir="auto">{inlines(block.inline)}</p>;
    case 'quote-text':
      return <span>{inlines(block.inline)}</span>;
    case 'heading':
      // No heading of the page: a stored text must not change how the page is divided.
      return (
        <div class={`heading heading-${block.depth}`} dir="auto">
          {inlines(block.inline)}
        </div>
      );
    case 'code':
      return (
        <LongText
          text={block.text}
          label={block.language || 'Text'}
          dir={block.language === '' ? 'auto' : 'ltr'}
        />
      );
    case 'quote':
      return <blockquote>{block.blocks.map(blockAt)}</blockquote>;
    case 'list': {
      const items = block.items.map((item, i) => (
        <li key={i} dir="auto" class={item.checked === undefined ? '' : 'task'}>
          {item.checked === undefined ? undefined : (
            <span role="img" aria-label={item.checked ? 'done' : 'to do'}>
              {item.checked ? '☑ ' : '☐ '}
            </span>
          )}
          {item.blocks.map(blockAt)}
        </li>
      ));
      return block.ordered ? <ol start={block.start}>{items}</ol> : <ul>{items}</ul>;
    }
    case 'table':
      return (
        <div class="scrolled" tabIndex={0} role="group" aria-label="table">
          <table>
            <thead>
              <tr>{block.head.map((cell, i) => cellOf('th', cell, i))}</tr>
            </thead>
            <tbody>
              {block.rows.map((row, i) => (
                <tr key={i}>{row.map((cell, at) => cellOf('td', cell, at))}</tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    case 'rule':
      return <hr />;
  }
}

const blockAt = (block: Block, index: number) => <BlockView key={index} block={block} />;

const cellOf = (Tag: 'th' | 'td', { align, inline }: Cell, index: number) => (
  <Tag key={index} dir="auto" style={align === undefined ? {} : { textAlign: align }}>
    {inlines(inline)}
  </Tag>
);

const inlines = (inline: readonly Inline[]): ComponentChild[] =>
  inline.map((one, index) => <InlineView key={index} one={one} />);

function InlineView({ one }: { one: Inline }): VNode {
  switch (one.kind) {
    case 'text':
      return <>{shownText(one.text)}</>;
    case 'code':
      return <code>{shownText(one.text)}</code>;
    case 'strong':
      return <strong>{inlines(one.inline)}</strong>;
    case 'emphasis':
      return <em>{inlines(one.inline)}</em>;
    case 'deleted':
      return <del>{inlines(one.inline)}</del>;
    case 'break':
      return <br />;
    case 'link':
      return <Link url={one.url}>{inlines(one.inline)}</Link>;
  }
}

/** A link in a stored text. It opens after its reader has seen where it leads; no other click follows it. */
function Link({ url, children }: { url: string; children: ComponentChild }) {
  const page = usePage();
  const ask = () => {
    page.question.value = {
      title: 'Open this link?',
      text: 'Whoever wrote this text chose the address. It opens outside this page.',
      detail: url,
      yes: 'Open',
      run: () => page.calls.bridge.openLink(url),
    };
  };
  return (
    <button type="button" role="link" class="link" onClick={ask}>
      {children}
    </button>
  );
}
