import { useEffect, useState } from 'preact/hooks';
import type { Artifact } from '../../model/artifact.ts';
import { sizeOf } from '../../model/sizes.ts';
import { type Content, readArtifact } from '../live/artifacts.ts';
import { tableOf } from '../model/csv.ts';
import { isImage } from '../model/images.ts';
import { plainName } from '../model/text.ts';
import { JsonView, LongText } from './long-text.tsx';
import { Markdown } from './markdown.tsx';
import { usePage } from './page-context.ts';

/** A file of the session: its name at once, its content when it is opened. */
export function ArtifactView({
  name,
  version,
  known,
}: {
  name: string;
  version?: number | undefined;
  known?: Artifact | undefined;
}) {
  const page = usePage();
  const [isOpen, setOpen] = useState(false);
  const [content, setContent] = useState<Content | undefined>();
  const [problem, setProblem] = useState('');
  const ref = page.opened.value?.ref;
  const read = async () => {
    if (ref === undefined) throw new Error('No session is open.');
    return readArtifact(page.calls, ref, name, version);
  };
  useEffect(() => {
    if (!isOpen || content !== undefined) return;
    setProblem('');
    read().then(setContent, (error: Error) => setProblem(error.message));
  }, [isOpen]);
  const save = () =>
    page.attempt(async () => {
      const whole = content?.isWhole === true ? content : await read();
      const { artifact, bytes } = whole;
      await page.calls.bridge.saveFile(
        artifact.name.split('/').at(-1) || 'artifact',
        artifact.mimeType,
        bytes,
      );
      return undefined;
    });
  return (
    <details class="artifact" onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>
        <span class="file-sign" aria-hidden="true" />
        <bdi class="file-name">{plainName(name)}</bdi>
        {version !== undefined && <span class="chip">version {version}</span>}
        {known !== undefined && <span class="file-facts">{factsOf(known)}</span>}
      </summary>
      {problem !== '' && <p class="problem">{problem}</p>}
      {isOpen && content === undefined && problem === '' && <p class="note">Reading…</p>}
      {content !== undefined && <Preview content={content} />}
      {content !== undefined && page.calls.has('get_artifact') && (
        <button type="button" class="quiet" onClick={save}>
          Save
        </button>
      )}
    </details>
  );
}

const factsOf = ({ mimeType, sizeBytes }: Artifact): string => `${plainName(mimeType)}, ${sizeOf(sizeBytes)}`;

function Preview({ content }: { content: Content }) {
  const { artifact, text, base64, isWhole } = content;
  const { mimeType, name } = artifact;
  if (isImage(mimeType) && isWhole)
    return <img class="preview" alt={plainName(name)} src={`data:${mimeType};base64,${base64()}`} />;
  if (text === undefined) return <p class="note">No preview of {plainName(mimeType)}.</p>;
  if (/^text\/(csv|tab-separated-values)$/.test(mimeType))
    return <Table text={text} separator={mimeType === 'text/csv' ? ',' : '\t'} />;
  if (mimeType === 'text/markdown') return <Markdown text={text} />;
  if (mimeType === 'application/json') return <JsonView value={parsed(text)} label={plainName(name)} />;
  return <LongText text={text} label={plainName(name)} />;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const mostRows = 200;

function Table({ text, separator }: { text: string; separator: string }) {
  const [head = [], ...rows] = tableOf(text, separator, mostRows + 1);
  return (
    <div class="scrolled" tabIndex={0} role="group" aria-label="Table">
      <table>
        <thead>
          <tr>
            {head.map((cell, i) => (
              <th key={i} dir="auto">
                {plainName(cell)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map((cell, at) => (
                <td key={at} dir="auto">
                  {plainName(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length === mostRows && <p class="note">The first {mostRows} rows.</p>}
    </div>
  );
}
