/** Text of tokens as it becomes certain: a character may span several of them. */
export class TextStream {
  private readonly tokenizer: { decode(ids: readonly number[]): string };
  private readonly ids: number[] = [];
  private sent = 0;

  constructor(tokenizer: { decode(ids: readonly number[]): string }) {
    this.tokenizer = tokenizer;
  }

  /** What is certain after this token and was not before it; often one word, sometimes nothing. */
  push(id: number): string {
    this.ids.push(id);
    const text = this.tokenizer.decode(this.ids);
    if (text.endsWith('\ufffd')) return '';
    const piece = text.slice(this.sent);
    this.sent = text.length;
    return piece;
  }
}
