import { useEffect, useState } from 'preact/hooks';
import type { Artifact } from '../../model/artifact.ts';
import type { OpenSession } from '../live/open-session.ts';
import { readPages } from '../live/pages.ts';
import { ArtifactView } from './artifact.tsx';
import { Failure } from './failure.tsx';
import { usePage } from './page-context.ts';

/** The files of a session, with their content when they are opened. */
export function FilesView({ opened }: { opened: OpenSession }) {
  const { calls } = usePage();
  const [files, setFiles] = useState<readonly Artifact[] | undefined>();
  const [failure, setFailure] = useState<unknown>();
  const revision = opened.session.value?.revision ?? opened.session.value?.updateTime;
  useEffect(() => {
    const read = async () => {
      setFiles(await readPages<Artifact>(calls, 'list_artifacts', 'artifacts', opened.argsOf()));
      setFailure(undefined);
    };
    read().catch(setFailure);
  }, [revision]);
  return (
    <div class="scroll-view" tabIndex={0} role="group" aria-label="Files">
      {failure !== undefined && <Failure error={failure} />}
      {files === undefined && failure === undefined && <p class="note">Reading…</p>}
      {files?.length === 0 && <p class="empty">No files yet. Agents save them with save_artifact.</p>}
      {files?.map((file) => (
        <ArtifactView
          key={`${file.name} ${file.version}`}
          name={file.name}
          version={file.version}
          known={file}
        />
      ))}
    </div>
  );
}
