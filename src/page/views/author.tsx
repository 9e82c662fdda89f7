import { plainName } from '../model/text.ts';

/** A hue that a name always gets. */
function hueOf(name: string): number {
  let hash = 7;
  for (const sign of name) hash = (hash * 31 + (sign.codePointAt(0) ?? 0)) % 3600;
  // The golden angle keeps names that differ little apart.
  return (hash * 137.508) % 360;
}

const signs = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

const firstSign = (name: string): string => {
  const [sign] = signs.segment(plainName(name).trim());
  return sign?.segment.toUpperCase() ?? '?';
};

export const Avatar = ({ author }: { author: string }) => (
  <span class="avatar" aria-hidden="true" style={{ '--hue': hueOf(author) }}>
    {firstSign(author)}
  </span>
);

export const AuthorName = ({ author }: { author: string }) => (
  <bdi class="author" style={{ '--hue': hueOf(author) }}>
    {plainName(author)}
  </bdi>
);
