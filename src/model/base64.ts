/** Whether a text is base64 in the standard alphabet, padded. Node decodes anything else without an error. */
export const isBase64 = (text: string): boolean =>
  text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
