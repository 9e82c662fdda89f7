type Value = string | number | boolean | undefined;
type Json = Record<string, unknown>;

const token = /\s*(?:('(?:[^']|'')*')|("[^"]*")|(-?\d+(?:\.\d+)?)|([A-Za-z_][\w.]*)|(<=|>=|<>|!=|[=<>()]))/y;

/**
 * Evaluates the part of Vectara's metadata filter that tests need: comparisons, AND, OR, NOT and parentheses, names
 * bare or in double quotes with dots for nesting, strings in single quotes with '' for one. A text that is no such
 * filter throws, so that a badly quoted value shows.
 */
export function metadataMatches(filter: string, metadata: Json): boolean {
  const tokens: string[] = [];
  token.lastIndex = 0;
  const text = filter.trimEnd();
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    const match = token.exec(text);
    if (match === null) throw new Error(`cannot read the filter at ${at}`);
    tokens.push(match[0].trim());
  }
  let next = 0;
  const peek = () => tokens[next]?.toUpperCase();
  const take = () => tokens[next++] ?? '';

  function either(): boolean {
    let result = both();
    while (peek() === 'OR') {
      take();
      result = both() || result;
    }
    return result;
  }
  function both(): boolean {
    let result = one();
    while (peek() === 'AND') {
      take();
      result = one() && result;
    }
    return result;
  }
  function one(): boolean {
    if (peek() === 'NOT') {
      take();
      return !one();
    }
    if (peek() === '(') {
      take();
      const result = either();
      if (take() !== ')') throw new Error('a parenthesis is open');
      return result;
    }
    const left = value(take());
    const operator = take();
    const right = value(take());
    if (left === undefined || right === undefined) return false;
    if (operator === '=') return left === right;
    if (operator === '<>' || operator === '!=') return left !== right;
    if (operator === '<') return left < right;
    if (operator === '>') return left > right;
    if (operator === '<=') return left <= right;
    if (operator === '>=') return left >= right;
    throw new Error('no operator');
  }
  function value(word: string): Value {
    if (word.startsWith("'")) return word.slice(1, -1).replaceAll("''", "'");
    if (/^-?\d/.test(word)) return Number(word);
    const name = word.startsWith('"') ? word.slice(1, -1) : word;
    if (!/^[A-Za-z_][\w.]*$/.test(name)) throw new Error('no name');
    let at: unknown = metadata;
    for (const part of name.split('.')) at = (at as Json | undefined)?.[part];
    return typeof at === 'string' || typeof at === 'number' || typeof at === 'boolean' ? at : undefined;
  }

  const result = either();
  if (next < tokens.length) throw new Error('text after the filter');
  return result;
}
