/** One line per comparison, and whether all held. */
export class Report {
  failed = 0;

  /** Lists of the same length, entry by entry; anything else as a whole. Shows the first few that differ. */
  same(name: string, ours: unknown, theirs: unknown): void {
    const pairs: [unknown, unknown][] =
      Array.isArray(ours) && Array.isArray(theirs) && ours.length === theirs.length
        ? ours.map((value, i) => [value, theirs[i]])
        : [[ours, theirs]];
    const different = pairs.filter(([a, b]) => JSON.stringify(a) !== JSON.stringify(b));
    this.line(name, different.length === 0, `${pairs.length - different.length} of ${pairs.length} the same`);
    for (const [a, b] of different.slice(0, 3))
      console.log(
        `  ours   ${JSON.stringify(a)?.slice(0, 400)}\n  theirs ${JSON.stringify(b)?.slice(0, 400)}`,
      );
  }

  /** An error that must stay below a bound. */
  below(name: string, error: number, bound: number): void {
    this.line(name, error <= bound, `${error.toExponential(1)}, at most ${bound.toExponential(0)}`);
  }

  private line(name: string, holds: boolean, detail: string): void {
    if (!holds) this.failed++;
    console.log(`${holds ? 'ok  ' : 'FAIL'} ${name}: ${detail}`);
  }
}
