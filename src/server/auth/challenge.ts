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
  /** Absent when the request had no token: RFC 6750, section 3.1 then allows no error. */
  fault?: 'invalid_token' | 'insufficient_scope' | undefined;
  /** The scope that the caller needs. */
  scope: string;
  /** The address of the protected-resource metadata; absent when no issuer is configured. */
  metadataUrl?: string | undefined;
}

const faults = {
  invalid_token: new OAuthError(OAuthErrorCode.InvalidToken, 'The token is not valid'),
  insufficient_scope: new OAuthError(OAuthErrorCode.InsufficientScope, 'The token lacks a scope'),
};

/** The header of a 401 or 403 that tells a client which token it needs and where to get one. */
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
    // The builder's type demands the issuer's whole metadata, but it reads only this field.
    oauthMetadata: { issuer } as OAuthMetadata,
    scopesSupported: [...accessScopes],
    resourceName: 'Agent sessions',
    // The settings have checked the address: http is allowed only to this machine.
    dangerouslyAllowInsecureIssuerUrl: true,
  });
  return {
    url: getOAuthProtectedResourceMetadataUrl(resource),
    document: { ...document, bearer_methods_supported: ['header'] },
  };
}
