import type { Artifact } from '../../model/artifact.ts';
import type { Page, PageQuery } from '../../model/page.ts';
import type { Guard, SessionRef } from './owner.ts';

export interface NewArtifact {
  name: string;
  mimeType: string;
  data: Buffer;
}

export interface ArtifactContent {
  artifact: Artifact;
  data: Buffer;
}

export interface ArtifactVerbs {
  /** The latest version of each artifact of the session, and of the user's `user:` ones; by name. */
  list?(ref: SessionRef, query: PageQuery): Promise<Page<Artifact>>;
  /** Without a version: the latest. */
  get?(ref: SessionRef, name: string, version?: number): Promise<ArtifactContent>;
  /** Saves the next version. */
  save?(ref: SessionRef, artifact: NewArtifact, guard?: Pick<Guard, 'claim'>): Promise<Artifact>;
}
