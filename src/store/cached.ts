/** A pure function of a text that remembers its last answers; all are forgotten once there are too many. */
export function cached<T>(of: (text: string) => T, most: number): (text: string) => T {
  let known = new Map<string, T>();
  return (text) => {
    const found = known.get(text);
    if (found !== undefined) return found;
    if (known.size >= most) known = new Map();
    const made = of(text);
    known.set(text, made);
    return made;
  };
}
