// The rows of this dispatch: a chunk of the micro-batch, chosen by the site.
const ROWS_ARE_TARGETS: bool = false; // @param count frame.targets instead of frame.tokens

fn chunk_rows() -> u32 {
  let all = select(frame.tokens, frame.targets, ROWS_ARE_TARGETS);
  return min(all - min(all, site.row_start), site.row_limit);
}
