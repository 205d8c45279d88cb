/**
 * Text of tokens as it becomes certain: a character may span several tokens, and what may yet turn out to be the start of
 * a stop text is held back.
 */

type Decoder = { decode(ids: readonly number[]): string };

/** What stands for bytes that are no whole character yet. */
const INCOMPLETE = '\ufffd';

export class TextStream {
  /** All that was certain so far. */
  text = '';
  /** Whether a stop text was met; it and what follows are no part of the text. */
  stopped = false;
  private readonly tokenizer: Decoder;
  private readonly stops: readonly string[];
  private readonly ids: number[] = [];
  /** Tokens before `read` are in the text; decoding starts at `from`, as spaces depend on the token before. */
  private from = 0;
  private read = 0;
  private held = '';

  /** `stops`: texts that end the stream, wherever tokens begin and end. */
  constructor(tokenizer: Decoder, stops: readonly string[] = []) {
    this.tokenizer = tokenizer;
    this.stops = stops.filter(stop => stop !== '');
  }

  /** What is certain after this token and was not before it; often one word, sometimes nothing. */
  push(id: number): string {
    if (this.stopped) return '';
    this.ids.push(id);
    const piece = this.unread();
    if (piece === '' || piece.endsWith(INCOMPLETE)) return '';
    this.from = this.read;
    this.read = this.ids.length;
    return this.take(piece);
  }

  /** What was held back, once no token follows. */
  finish(): string {
    if (this.stopped) return '';
    const piece = this.unread();
    this.from = this.read = this.ids.length;
    const text = this.take(piece);
    const rest = this.stopped ? '' : this.held;
    this.held = '';
    this.text += rest;
    return text + rest;
  }

  private unread(): string {
    const before = this.tokenizer.decode(this.ids.slice(this.from, this.read));
    return this.tokenizer.decode(this.ids.slice(this.from)).slice(before.length);
  }

  private take(piece: string): string {
    const text = this.held + piece;
    // Of several, the one that is complete first: then it does not matter where tokens begin and end.
    const [found] = this.stops
      .map(stop => ({ at: text.indexOf(stop), length: stop.length }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at + a.length - (b.at + b.length) || a.at - b.at);
    this.stopped = found !== undefined;
    const sure = found ? found.at : text.length - longestStart(text, this.stops);
    this.held = this.stopped ? '' : text.slice(sure);
    this.text += text.slice(0, sure);
    return text.slice(0, sure);
  }
}

/** Length of the longest end of `text` that a stop text starts with. */
function longestStart(text: string, stops: readonly string[]): number {
  let longest = 0;
  for (const stop of stops)
    for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
      if (stop.startsWith(text.slice(text.length - length))) longest = length;
  return longest;
}
