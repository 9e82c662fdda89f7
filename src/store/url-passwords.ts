/**
 * Passwords that an address holds, as they are written there. The address may be one that cannot be read: many a
 * password holds an "@" or a "/" that should have been escaped.
 */
export function passwordsIn(address: string): string[] {
  const [place = '', query = ''] = address.split(/\?(.*)/s);
  const inPlace = /^[^/]*\/\/[^/:@]*:(.*)@/s.exec(place)?.[1];
  const inQuery = new URLSearchParams(query).get('password');
  return [inPlace, inQuery].filter((one) => one !== undefined && one !== null);
}
