/** Narrow floating-point formats in software: round to nearest even, and back. */

const scratch = new Float32Array(1);
const bitsOf = new Uint32Array(scratch.buffer);

/** The f16 pattern nearest to a number; beyond 65520 it is infinity. */
export function toHalf(value: number): number {
  scratch[0] = value;
  const bits = bitsOf[0];
  const sign = (bits >>> 16) & 0x8000;
  const magnitude = bits & 0x7fffffff;
  if (magnitude >= 0x477ff000) return sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
  if (magnitude >= 0x38800000) {
    const shifted = magnitude - 0x38000000;
    return sign | ((shifted + 0xfff + ((shifted >>> 13) & 1)) >>> 13);
  }
  // Subnormal: a whole number of steps of 2^-24; the product is exact, and so is adding 2^23 to round it.
  const steps = Math.abs(value) * 2 ** 24;
  return sign | roundEven(steps);
}

export function fromHalf(half: number): number {
  const sign = half & 0x8000 ? -1 : 1;
  const exponent = (half >>> 10) & 31;
  const fraction = half & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The bfloat16 pattern nearest to a finite f32, whose bits are given. */
export const toBfloat = (bits: number): number => (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;

/** The e4m3 pattern (4 exponent bits with bias 7, 3 of fraction, no infinities) nearest to a number in [−448, 448]. */
export function toE4m3(value: number): number {
  const sign = value < 0 ? 0x80 : 0;
  const magnitude = Math.min(Math.abs(value), 448);
  const exponent = magnitude < 2 ** -6 ? -6 : Math.floor(Math.log2(magnitude));
  // Rounding up to the next power of two carries into the exponent by itself.
  const steps = roundEven(magnitude * 2 ** (3 - exponent));
  return sign | (exponent === -6 && steps < 8 ? steps : ((exponent + 6) << 3) + steps);
}

export function fromE4m3(byte: number): number {
  const exponent = (byte >>> 3) & 15;
  const fraction = byte & 7;
  const magnitude = exponent === 0 ? fraction * 2 ** -9 : (8 + fraction) * 2 ** (exponent - 10);
  return byte & 0x80 ? -magnitude : magnitude;
}

function roundEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}
