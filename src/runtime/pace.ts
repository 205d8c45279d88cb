/**
 * How much work goes into one submit: about half a second of it, so that no watchdog minds and a fast device gets few.
 * Learned from submits that are done; where a program is cut changes no number it computes.
 */
const SECONDS = 0.5;
/** Operations per second that a device is taken for at first: rather too few. */
const FIRST = { software: 2e9, hardware: 4e12 };
/** One measurement may be a fluke. */
const LARGEST_CHANGE = 4;

export class Pace {
  private rate: number;
  private idleSince = 0;

  constructor(software: boolean) {
    this.rate = software ? FIRST.software : FIRST.hardware;
  }

  /** Floating-point operations for one submit. */
  get flops(): number {
    return SECONDS * this.rate;
  }

  /** A submit of so many operations, handed over at `started`, is done now; milliseconds. */
  done(flops: number, started: number, now: number): void {
    const seconds = Math.max(now - Math.max(started, this.idleSince), 0.01) / 1000;
    this.idleSince = now;
    // What is small says more about waiting than about work.
    if (flops < this.flops / 2) return;
    const [least, most] = [this.rate / LARGEST_CHANGE, this.rate * LARGEST_CHANGE];
    this.rate = Math.min(Math.max(flops / seconds, least), most);
  }
}
