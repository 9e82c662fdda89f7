import {
  bearerAuthChallengeResponse,
  buildOAuthProtectedResourceMetadata,
  getOAuthProtectedResourceMetadataUrl,
  OAuthError,
  OAuthErrorCode,
  type OAuthMetadata,
} from '@modelcontextprotocol/server';
import { accessScopes } from '../../model/principal.ts';

export interface Challenge {
  /** Absent: there was no token, and then a client is told no error (RFC 6750, section 3.1). */
  fault?: 'invalid_token' | 'insufficient_scope' | undefined;
  /** What the caller needs. */
  scope: string;
  /** Of the protected-resource metadata; absent where no issuer is configured. */
  metadataUrl?: string | undefined;
}

const faults = {
  invalid_token: new OAuthError(OAuthErrorCode.InvalidToken, 'The token is not valid'),
  insufficient_scope: new OAuthError(OAuthErrorCode.InsufficientScope, 'The token lacks a scope'),
};

/** The header of a 401 or 403 that tells a client how to come in. */
export function challengeHeader({ fault, scope, metadataUrl }: Challenge): { 'www-authenticate': string } {
  if (fault === undefined) {
    // The SDK has no challenge without an error.
    const metadata = metadataUrl === undefined ? '' : `, resource_metadata="${metadataUrl}"`;
    return { 'www-authenticate': `Bearer scope="${scope}"${metadata}` };
  }
  const { headers } = bearerAuthChallengeResponse(faults[fault], {
    requiredScopes: [scope],
    ...(metadataUrl === undefined ? {} : { resourceMetadataUrl: metadataUrl }),
  });
  return { 'www-authenticate': headers.get('www-authenticate') ?? '' };
}

/** Protected-resource metadata: who issues tokens for this server, and where a client reads that. */
export interface ResourceMetadata {
  url: string;
  document: object;
}

export function resourceMetadata(resource: URL, issuer: string): ResourceMetadata {
  const document = buildOAuthProtectedResourceMetadata({
    resourceServerUrl: resource,
    // The builder takes the issuer's whole metadata, and reads no more of it than this.
    oauthMetadata: { issuer } as OAuthMetadata,
    scopesSupported: [...accessScopes],
    resourceName: 'Agent sessions',
    // The settings allow http for this machine only, under all of its names.
    dangerouslyAllowInsecureIssuerUrl: true,
  });
  return {
    url: getOAuthProtectedResourceMetadataUrl(resource),
    document: { ...document, bearer_methods_supported: ['header'] },
  };
}
