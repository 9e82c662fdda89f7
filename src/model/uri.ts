/** Resource addresses. The user is not part of them: a reader sees only what is the reader's own. */
export interface SessionPlace {
  app: string;
  sessionId: string;
}

const part = encodeURIComponent;

export const sessionUri = (place: SessionPlace): string =>
  `session://${part(place.app)}/${part(place.sessionId)}`;
export const eventsUri = (place: SessionPlace): string => `${sessionUri(place)}/events`;
export const artifactUri = (place: SessionPlace, name: string): string =>
  `${sessionUri(place)}/artifacts/${part(name)}`;

export interface ResourceAddress extends SessionPlace {
  kind: 'session' | 'events' | 'artifact';
  /** The artifact's name. */
  name?: string;
}

/** Undefined for an address that is not one of this server's. */
export function parseUri(uri: string): ResourceAddress | undefined {
  const match = /^session:\/\/([^/?#]+)\/([^/?#]+)(?:\/(events)|\/artifacts\/([^/?#]+))?$/.exec(uri);
  const [, app, sessionId, events, artifact] = match ?? [];
  if (app === undefined || sessionId === undefined) return undefined;
  try {
    const place = { app: decodeURIComponent(app), sessionId: decodeURIComponent(sessionId) };
    if (artifact !== undefined) return { ...place, kind: 'artifact', name: decodeURIComponent(artifact) };
    return { ...place, kind: events === undefined ? 'session' : 'events' };
  } catch {
    return undefined;
  }
}
