import type { Page, PageQuery } from '../../model/page.ts';

export interface App {
  name: string;
  displayName?: string | undefined;
  description?: string | undefined;
  createTime?: string | undefined;
  updateTime?: string | undefined;
}

export interface AppVerbs {
  /** With a userId: only those where that user has sessions, if the service keeps apps by user. */
  list?(query: PageQuery & { userId?: string | undefined }): Promise<Page<App>>;
  get?(name: string): Promise<App>;
  create?(app: {
    name: string;
    displayName?: string | undefined;
    description?: string | undefined;
  }): Promise<App>;
  /** FAILED_PRECONDITION when the app has sessions and `force` is not set. */
  delete?(name: string, options: { force: boolean }): Promise<void>;
}
