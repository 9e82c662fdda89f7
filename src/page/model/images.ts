/** Whether a browser shows content of this type as an image. As an image, an SVG runs no script and loads nothing. */
export const isImage = (mimeType: string): boolean =>
  /^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml)$/.test(mimeType);
