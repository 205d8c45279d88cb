/** Texts side by side in columns of a terminal. */

const GAP = ' │ ';
const NARROWEST = 16;

/** Wraps at spaces, cuts what is longer than a line, keeps line breaks. Lines have at most `width` characters. */
export function wrap(text: string, width: number): string[] {
  return text.split('\n').flatMap(line => {
    const lines: string[] = [];
    let rest = line;
    while (rest.length > width) {
      const space = rest.lastIndexOf(' ', width);
      const cut = space > 0 ? space : width;
      lines.push(rest.slice(0, cut));
      rest = rest.slice(space > 0 ? cut + 1 : cut);
    }
    return [...lines, rest];
  });
}

/** Columns under their titles; one under another where a terminal is too narrow for that. */
export function sideBySide(titles: readonly string[], texts: readonly string[], width: number): string {
  const each = Math.floor((width - GAP.length * (titles.length - 1)) / titles.length);
  if (each < NARROWEST) return titles.map((title, i) => `${title}: ${texts[i]}`).join('\n');
  const columns = titles.map((title, i) => {
    const lines = wrap(texts[i].trim(), each);
    return [...wrap(title, each), '─'.repeat(each), ...lines];
  });
  const height = Math.max(...columns.map(column => column.length));
  return Array.from({ length: height }, (_, row) =>
    columns
      .map(column => (column[row] ?? '').padEnd(each))
      .join(GAP)
      .trimEnd(),
  ).join('\n');
}
