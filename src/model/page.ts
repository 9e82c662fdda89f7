import { createHmac, createSecretKey, type KeyObject, timingSafeEqual } from 'node:crypto';
import { invalidArgument } from '../errors.ts';

/** One page of a list. No cursor means that this was the last page; a page may be short and still have one. */
export interface Page<T> {
  items: T[];
  cursor?: string | undefined;
}

export interface PageQuery {
  pageSize: number;
  cursor?: string | undefined;
}

export const defaultPageSize = 20;
export const maxPageSize = 100;

/**
 * A page token: the backend's cursor, signed together with whom it was given to and for which query, so that
 * it opens no other list. The cursor can be read, not changed.
 */
export function sealPageToken(key: Buffer, binding: string, cursor: string): string {
  return `${Buffer.from(cursor).toString('base64url')}.${sign(key, binding, cursor).toString('base64url')}`;
}

/** @throws SessionError INVALID_ARGUMENT when the token was changed, or belongs to another caller or query */
export function openPageToken(key: Buffer, binding: string, token: string): string {
  const [body = '', signature = ''] = token.split('.');
  const cursor = Buffer.from(body, 'base64url').toString();
  const given = Buffer.from(signature, 'base64url');
  const wanted = sign(key, binding, cursor);
  if (given.length !== wanted.length || !timingSafeEqual(given, wanted))
    throw invalidArgument(
      'pageToken does not belong to this list.',
      'Start again without pageToken, and keep the other arguments the same from page to page.',
    );
  return cursor;
}

/** Of each secret, because to make one takes ten times as long as to sign with it. */
const keys = new WeakMap<Buffer, KeyObject>();

function sign(secret: Buffer, binding: string, cursor: string): Buffer {
  const key = keys.get(secret) ?? createSecretKey(secret);
  keys.set(secret, key);
  const length = Buffer.byteLength(binding);
  return createHmac('sha256', key).update(`${length}:${binding}${cursor}`).digest().subarray(0, 18);
}
