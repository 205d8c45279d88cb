/**
 * How far a long run is: one live line at a terminal, plain lines now and then when piped. The line is rewritten in
 * place and erased only behind its end, so it does not flicker; whoever writes something else clears it first.
 */

/** One report of a long run. Times in seconds, rates per second; what is not known is left out. */
export interface Progress {
  /** What is going on: `train`, `eval`. */
  label: string;
  /** Steps done, of `steps`. */
  step: number;
  steps: number;
  loss?: number;
  tokensPerSecond?: number;
  learningRate?: number;
  gradientNorm?: number;
  secondsLeft?: number;
}

/** The part of a terminal stream that is needed; `process.stderr` fits. */
export interface Screen {
  isTTY?: boolean;
  columns?: number;
  write(text: string): unknown;
}

const REDRAW_MS = 80;
const ERASE_TO_END = '\x1b[K';

export class StatusLine {
  readonly #screen: Screen;
  readonly #every: number | undefined;
  #shown = '';
  #drawnAt = Number.NEGATIVE_INFINITY;
  #lastLabel = '';

  /** `every`: steps between plain lines when piped; by default about twenty lines in all. */
  constructor(screen: Screen, every?: number) {
    this.#screen = screen;
    this.#every = every;
  }

  update(progress: Progress, now = performance.now()): void {
    const last = progress.step >= progress.steps;
    if (!this.#screen.isTTY) {
      const every = this.#every ?? Math.max(1, Math.ceil(progress.steps / 20));
      const first = progress.label !== this.#lastLabel;
      this.#lastLabel = progress.label;
      if (first || last || progress.step % every === 0) this.#screen.write(`${formatProgress(progress)}\n`);
      return;
    }
    if (!last && now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    // One column stays free: a full line would wrap on some terminals.
    const text = formatProgress(progress, (this.#screen.columns ?? 80) - 1);
    this.#screen.write(`\r${text}${ERASE_TO_END}`);
    this.#shown = text;
  }

  /** Takes the line off the screen before other output; the next update draws it again. */
  clear(): void {
    if (!this.#shown) return;
    this.#screen.write(`\r${ERASE_TO_END}`);
    this.#shown = '';
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }

  /** Leaves the last state of the line standing and ends it. */
  finish(): void {
    if (this.#shown) this.#screen.write('\n');
    this.#shown = '';
  }
}

/** The line for `progress`, dropping what matters least until it fits `columns`. */
export function formatProgress(progress: Progress, columns = Number.POSITIVE_INFINITY): string {
  const { label, step, steps, loss, tokensPerSecond, learningRate, gradientNorm, secondsLeft } = progress;
  const width = String(steps).length;
  // In the order of the line; the number says what goes first when space is short.
  const parts: [rank: number, text: string | undefined][] = [
    [0, `${label} ${String(step).padStart(width)}/${steps}`],
    [1, loss === undefined ? undefined : `loss ${loss.toFixed(4)}`],
    [3, tokensPerSecond === undefined ? undefined : `${short(tokensPerSecond)} tok/s`],
    [5, learningRate === undefined ? undefined : `lr ${learningRate.toExponential(2)}`],
    [4, gradientNorm === undefined ? undefined : `|g| ${Number(gradientNorm.toPrecision(3))}`],
    [2, secondsLeft === undefined ? undefined : `${formatSeconds(secondsLeft)} left`],
  ];
  let kept = parts.filter(([, text]) => text !== undefined);
  const line = () => kept.map(([, text]) => text).join('  ');
  while (line().length > columns && kept.length > 1) {
    const worst = Math.max(...kept.map(([rank]) => rank));
    kept = kept.filter(([rank]) => rank !== worst);
  }
  return line().slice(0, Math.max(0, columns));
}

/** 950, 12.3k, 4.56M. */
function short(value: number): string {
  if (!Number.isFinite(value)) return '?';
  const [scale, unit] = value >= 1e6 ? [1e6, 'M'] : value >= 1e3 ? [1e3, 'k'] : [1, ''];
  return `${Number((value / scale).toPrecision(3))}${unit}`;
}

/** 7s, 3m20s, 2h05m, 3d04h. */
export function formatSeconds(seconds: number): string {
  if (!Number.isFinite(seconds)) return '?';
  const total = Math.max(0, Math.round(seconds));
  const two = (n: number) => String(n).padStart(2, '0');
  const [days, hours, minutes] = [
    Math.floor(total / 86400),
    Math.floor(total / 3600) % 24,
    Math.floor(total / 60) % 60,
  ];
  if (days > 0) return `${days}d${two(hours)}h`;
  if (hours > 0) return `${hours}h${two(minutes)}m`;
  if (minutes > 0) return `${minutes}m${two(total % 60)}s`;
  return `${total}s`;
}
