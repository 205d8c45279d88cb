/** Text from strangers: strict decoding, and quoting for messages. */

const LONGEST_QUOTE = 80;

/** Text from a file, made safe for a message: control characters escaped, at most 80 characters. */
export function quote(text: string): string {
  const short = text.length > LONGEST_QUOTE ? `${text.slice(0, LONGEST_QUOTE)}…` : text;
  return `\`${short.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, escapeCharacter)}\``;
}

function escapeCharacter(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Strict UTF-8 to text; a byte order mark is dropped unless `keepMark`. Undefined for invalid bytes. */
export function decodeUtf8(bytes: Uint8Array, keepMark = false): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: keepMark }).decode(bytes);
  } catch {
    return undefined;
  }
}

/** Whether text has no half of a surrogate pair (JSON escapes can smuggle one in). */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}
