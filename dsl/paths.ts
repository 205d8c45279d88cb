/** Paths as text: `/` between folders, no file system. Used for `use` and for the folder a file's own paths start from. */

export const folderOf = (path: string): string => {
  const cut = path.lastIndexOf('/');
  return cut < 0 ? '.' : cut === 0 ? '/' : path.slice(0, cut);
};

/** Resolve `.` and `..`; leading `..` stay. */
export function normalise(path: string): string {
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && out.length > 0 && out.at(-1) !== '..') out.pop();
    else if (part !== '..' || !path.startsWith('/')) out.push(part);
  }
  return (path.startsWith('/') ? '/' : '') + (out.join('/') || (path.startsWith('/') ? '' : '.'));
}

export const join = (folder: string, path: string): string =>
  normalise(path.startsWith('/') ? path : `${folder}/${path}`);

/** Is `path` in `folder` or below? Both relative to the same place, or both absolute. */
export function within(folder: string, path: string): boolean {
  const base = normalise(folder);
  const full = normalise(path);
  if (base === '.') return !full.startsWith('/') && full !== '..' && !full.startsWith('../');
  return full === base || full.startsWith(base === '/' ? '/' : `${base}/`);
}
