/** Sizes and work in units that a person reads: three figures, binary for bytes and decimal for operations. */

export function bytesText(bytes: number): string {
  return scaled(bytes, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB']);
}

export function flopsText(flops: number): string {
  return scaled(flops, 1000, ['FLOP', 'kFLOP', 'MFLOP', 'GFLOP', 'TFLOP']);
}

function scaled(value: number, step: number, units: string[]): string {
  let at = 0;
  let number = value;
  while (Math.abs(number) >= step && at < units.length - 1) {
    number /= step;
    at++;
  }
  return `${Number(number.toPrecision(3))} ${units[at]}`;
}
