/** The status line: fits the terminal, is cleared, and becomes plain lines in a pipe. */
import { describe, expect, test } from 'bun:test';
import { formatProgress, formatSeconds, type Progress, StatusLine } from '../../src/report/progress.ts';

const progress: Progress = {
  label: 'train',
  step: 7,
  steps: 300,
  loss: 2.34567,
  tokensPerSecond: 12345,
  learningRate: 3e-4,
  gradientNorm: 0.98765,
  secondsLeft: 200,
};

class FakeScreen {
  columns = 80;
  isTTY: boolean;
  written: string[] = [];
  constructor(isTTY: boolean) {
    this.isTTY = isTTY;
  }
  write(text: string) {
    this.written.push(text);
  }
}

describe('formatProgress', () => {
  test('all of it', () => {
    expect(formatProgress(progress)).toBe(
      'train   7/300  loss 2.3457  12.3k tok/s  lr 3.00e-4  |g| 0.988  3m20s left',
    );
  });

  test('what matters least goes first when space is short', () => {
    expect(formatProgress(progress, 60)).toBe('train   7/300  loss 2.3457  12.3k tok/s  3m20s left');
    expect(formatProgress(progress, 30)).toBe('train   7/300  loss 2.3457');
    for (let columns = 0; columns < 90; columns++)
      expect(formatProgress(progress, columns).length).toBeLessThanOrEqual(columns);
  });

  test('a loss that is no number shows as such', () => {
    expect(formatProgress({ label: 'train', step: 1, steps: 9, loss: Number.NaN })).toBe(
      'train 1/9  loss NaN',
    );
  });

  test('times', () => {
    expect([0, 59.6, 200, 7500, 273_600, Number.POSITIVE_INFINITY].map(formatSeconds)).toEqual([
      '0s',
      '1m00s',
      '3m20s',
      '2h05m',
      '3d04h',
      '?',
    ]);
  });
});

describe('StatusLine', () => {
  test('at a terminal one line is rewritten in place, at most every 80 ms, and cleared on request', () => {
    const screen = new FakeScreen(true);
    const line = new StatusLine(screen);
    line.update({ label: 't', step: 1, steps: 9 }, 0);
    line.update({ label: 't', step: 2, steps: 9 }, 10);
    line.update({ label: 't', step: 3, steps: 9 }, 100);
    line.clear();
    line.clear();
    line.update({ label: 't', step: 4, steps: 9 }, 110);
    line.update({ label: 't', step: 9, steps: 9 }, 111);
    line.finish();
    line.finish();
    expect(screen.written).toEqual([
      '\rt 1/9\x1b[K',
      '\rt 3/9\x1b[K',
      '\r\x1b[K',
      '\rt 4/9\x1b[K',
      '\rt 9/9\x1b[K',
      '\n',
    ]);
  });

  test('it follows the width of the terminal', () => {
    const screen = new FakeScreen(true);
    const line = new StatusLine(screen);
    screen.columns = 20;
    line.update(progress, 0);
    expect(screen.written[0]).toBe('\rtrain   7/300\x1b[K');
  });

  test('in a pipe: the first, every N, the last; no control characters', () => {
    const screen = new FakeScreen(false);
    const line = new StatusLine(screen, 4);
    for (let step = 1; step <= 10; step++) line.update({ label: 't', step, steps: 10 });
    expect(screen.written).toEqual(['t  1/10\n', 't  4/10\n', 't  8/10\n', 't 10/10\n']);
  });
});
