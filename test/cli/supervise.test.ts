/** The supervisor against a worker that goes wrong in every way it can. */
import { describe, expect, test } from 'bun:test';
import { misbehave } from './run.ts';

/** Long enough for a loaded machine; each test needs well under a second of its own. */
const LIMIT_MS = 60_000;

describe('supervisor', () => {
  test(
    'what libraries print never reaches our stdout',
    async () => {
      const { code, stdout, stderr } = await misbehave(['print']);
      expect({ code, stdout, stderr }).toEqual({
        code: 0,
        stdout: '{"printed":true}\n',
        stderr: 'said properly\n',
      });
    },
    LIMIT_MS,
  );

  test(
    'a fault is shown once, without control characters',
    async () => {
      const { code, stdout, stderr } = await misbehave(['fault']);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toBe(
        'error[file-not-found]: no such file: `\ufffd[31mred\ufffd[0m.mos`\n  = note: asked for by a test\n' +
          '  = help: check the path; paths in a `.mos` file are relative to that file\n',
      );
    },
    LIMIT_MS,
  );

  test(
    'with --json a fault is an object on stdout',
    async () => {
      const { code, stdout, stderr } = await misbehave(['fault', '60', '--json']);
      expect([code, stderr]).toEqual([1, '']);
      expect(JSON.parse(stdout)).toMatchObject({
        version: 1,
        errors: 1,
        diagnostics: [{ code: 'file-not-found' }],
      });
    },
    LIMIT_MS,
  );

  test(
    'a bug has a stack, asks for a report and exits with 2',
    async () => {
      const { code, stdout, stderr } = await misbehave(['bug']);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toStartWith('internal error: a bug on demand\n');
      expect(stderr).toContain('misbehave.ts:');
      expect(stderr).toContain('please report it');
    },
    LIMIT_MS,
  );

  test(
    'an abort is a fault that says what was going on, and what was printed',
    async () => {
      const { code, stdout, stderr } = await misbehave(['abort']);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain(
        'error[worker-died]: the worker ended (signal SIGABRT) while misbehaving (abort)',
      );
      expect(stderr).toContain('= note: it printed: last words\n');
    },
    LIMIT_MS,
  );

  test(
    'an unexpected exit is a fault',
    async () => {
      const { code, stderr } = await misbehave(['exit']);
      expect(code).toBe(1);
      expect(stderr).toContain('error[worker-died]: the worker ended (exit code 7) while misbehaving (exit)');
    },
    LIMIT_MS,
  );

  test.each(['hang', 'spin'])(
    '%s: killed after the deadline',
    async how => {
      const started = performance.now();
      const { code, stdout, stderr } = await misbehave([how, '2']);
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toStartWith(
        `error[worker-hung]: no sign of life for 2 seconds while misbehaving (${how})\n`,
      );
      expect(performance.now() - started).toBeGreaterThan(1900);
    },
    LIMIT_MS,
  );

  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const)(
    '%s: the task ends in its own time',
    async (signal, expected) => {
      let sent = false;
      const { code, stdout } = await misbehave(['until-stopped'], {
        onStderr(soFar, child) {
          if (sent || !soFar.includes('waiting')) return;
          sent = true;
          child.kill(signal);
        },
      });
      expect({ code, stdout }).toEqual({ code: expected, stdout: '{"stopped":true}\n' });
    },
    LIMIT_MS,
  );

  test.each([
    ['SIGINT', 'SIGINT', 130],
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGTERM', 'SIGINT', 130],
  ] as const)(
    '%s, then %s: the second ends a task that does not listen',
    async (first, second, expected) => {
      let sent = 0;
      const { code, stderr } = await misbehave(['deaf'], {
        onStderr(soFar, child) {
          const due = soFar.includes('once more') ? 2 : soFar.includes('waiting') ? 1 : 0;
          for (; sent < due; sent++) child.kill(sent === 0 ? first : second);
        },
      });
      expect(code).toBe(expected);
      expect(stderr).toBe('waiting\nstopping after this step; once more stops at once\n');
    },
    LIMIT_MS,
  );

  test(
    'stopped before the worker is up: nothing is run, nothing is reported',
    async () => {
      const { code, stdout, stderr } = await misbehave(['bug', '60', '--stop-early']);
      expect([code, stdout]).toEqual([130, '']);
      expect(stderr).toBe('stopping after this step; once more stops at once\n');
    },
    LIMIT_MS,
  );
});
