/** String targets: globs over module paths with `*`, `?` and `{a,b}`. Only their form is checked here; matching is the compiler's. */

/** What is wrong with a glob, and where in it; undefined if nothing is. */
export function mistakeInGlob(
  glob: string,
): { at: number; length: number; message: string; help: string } | undefined {
  if (glob.trim() === '')
    return {
      at: 0,
      length: glob.length,
      message: 'an empty target matches nothing',
      help: 'write a module path or a glob',
    };
  const foreign = /[^\w.*?{},-]/.exec(glob);
  if (foreign) {
    return {
      at: foreign.index,
      length: 1,
      message: `\`${foreign[0]}\` never occurs in a module path`,
      help: 'use `*`, `?` and `{a,b}`',
    };
  }
  const open: number[] = [];
  for (const [at, sign] of [...glob].entries()) {
    if (sign === '{') open.push(at);
    else if (sign === '}' && open.pop() === undefined)
      return { at, length: 1, message: 'this `}` closes nothing', help: 'write `{` before the alternatives' };
    else if (sign === ',' && open.length === 0)
      return {
        at,
        length: 1,
        message: 'a comma stands only inside `{ }`',
        help: 'write two targets, each in its own quotes',
      };
  }
  const left = open.at(-1);
  if (left !== undefined)
    return {
      at: left,
      length: 1,
      message: 'this `{` is not closed',
      help: 'write `}` after the alternatives',
    };
  const empty = /\{\}/.exec(glob);
  if (empty)
    return {
      at: empty.index,
      length: 2,
      message: 'these braces are empty',
      help: 'write alternatives in them, or remove them',
    };
  return undefined;
}
