/** The command line as a user meets it: help, mistakes, exit codes, output for people and for programs. */
import { describe, expect, test } from 'bun:test';
import { numberOption, readArguments } from '../../src/cli/command.ts';
import { COMMANDS } from '../../src/cli/commands/index.ts';
import type { DevicesResult } from '../../src/cli/tasks/devices.ts';
import { Fault } from '../../src/report/fault.ts';
import { gpu } from '../gpu/harness.ts';
import { mos } from './run.ts';

/** Code, message and help of the fault in `action`. */
function mistake(action: () => unknown): [code: string, message: string, help: string | undefined] {
  try {
    action();
  } catch (error) {
    if (error instanceof Fault)
      return [error.diagnostics[0].code, error.diagnostics[0].message, error.diagnostics[0].help];
    throw error;
  }
  throw new Error('no fault was thrown');
}

describe('help', () => {
  test('without a command: help on stderr, exit code 1', async () => {
    const { code, stdout, stderr } = await mos([]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('usage: mos COMMAND');
  });

  test('`mos help` lists every command', async () => {
    const { code, stdout, stderr } = await mos(['help']);
    expect([code, stderr]).toEqual([0, '']);
    for (const command of COMMANDS) expect(stdout).toContain(`  ${command.name}`);
  });

  test('`mos devices --help` and `mos help devices` are the same', async () => {
    const [a, b] = await Promise.all([mos(['devices', '--help']), mos(['help', 'devices'])]);
    expect(a.code).toBe(0);
    expect(a.stdout).toStartWith('mos devices: ');
    expect(a).toEqual(b);
  });

  test('every command and option is described in house style', () => {
    expect(new Set(COMMANDS.map(c => c.name)).size).toBe(COMMANDS.length);
    for (const command of COMMANDS) {
      for (const text of [command.summary, ...Object.values(command.options).map(o => o.about)]) {
        expect(text).toMatch(/^\S.*[^.\s]$/);
      }
      for (const example of command.examples ?? []) expect(example).toContain(`mos ${command.name}`);
    }
  });
});

describe('mistakes', () => {
  test('an unknown command: one diagnostic, exit code 1, no stack', async () => {
    const { code, stdout, stderr } = await mos(['devicse']);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toBe(
      'error[unknown-command]: there is no command `devicse`\n  = help: did you mean `mos devices`?\n',
    );
  });

  test('with --json the diagnostic is an object on stdout', async () => {
    const { code, stdout, stderr } = await mos(['devicse', '--json']);
    expect([code, stderr]).toEqual([1, '']);
    expect(JSON.parse(stdout)).toMatchObject({
      version: 1,
      errors: 1,
      diagnostics: [{ code: 'unknown-command' }],
    });
  });

  const command = {
    ...COMMANDS.find(c => c.name === 'devices')!,
    options: {
      out: { type: 'string', short: 'o', value: 'FOLDER', about: 'where' },
      set: { type: 'string', multiple: true, about: 'several' },
      eval: { type: 'boolean', about: 'whether' },
    },
    positionals: [1, 1] as [number, number],
  } as const satisfies (typeof COMMANDS)[number];
  const read = (...args: string[]) => readArguments(command, args);

  test('options are read', () => {
    const { values, positionals } = read('a.mos', '-o', 'runs', '--set', 'x', '--set=-y', '--eval');
    expect({ ...values }).toEqual({ out: 'runs', set: ['x', '-y'], eval: true });
    expect(positionals).toEqual(['a.mos']);
    expect(read('--out', '-1', '--', '--eval')).toMatchObject({
      values: { out: '-1' },
      positionals: ['--eval'],
    });
  });

  const mistakes: [args: string[], code: string, message: string, help: string][] = [
    [['a', '--evla'], 'unknown-option', '`mos devices` has no option `--evla`', 'did you mean `--eval`?'],
    [
      ['a', '--constructor'],
      'unknown-option',
      '`mos devices` has no option `--constructor`',
      'run `mos devices --help`',
    ],
    [['a', '-x'], 'unknown-option', '`mos devices` has no option `-x`', 'run `mos devices --help`'],
    [['a', '--out'], 'bad-argument', '`--out` needs a value: FOLDER', 'run `mos devices --help`'],
    [['a', '--out', '--eval'], 'bad-argument', '`--out` needs a value: FOLDER', 'run `mos devices --help`'],
    [['a', '--out', 'b', '-o', 'c'], 'bad-argument', '`--out` is given twice', 'run `mos devices --help`'],
    [['a', '--eval=1'], 'bad-argument', '`--eval` takes no value', 'run `mos devices --help`'],
    [[], 'bad-argument', '`mos devices` needs more arguments', 'usage: mos devices [--json]'],
    [
      ['a', 'b'],
      'bad-argument',
      '`mos devices` does not know what to do with `b`',
      'usage: mos devices [--json]',
    ],
  ];
  test.each(mistakes)('%j', (args, code, message, help) => {
    expect(mistake(() => read(...args))).toEqual([code, message, help]);
  });

  test('numbers', () => {
    expect(numberOption('steps', '12', { integer: true, min: 1 })).toBe(12);
    expect(numberOption('steps', undefined)).toBeUndefined();
    expect(mistake(() => numberOption('steps', '1.5', { integer: true }))[1]).toBe(
      '`--steps` needs a whole number, not `1.5`',
    );
    expect(mistake(() => numberOption('lr', '1e999'))[1]).toBe('`--lr` needs a number, not `1e999`');
    expect(mistake(() => numberOption('lr', ''))[1]).toBe('`--lr` needs a number, not ``');
    expect(mistake(() => numberOption('lr', '0', { min: 1 }))[1]).toBe(
      '`--lr` needs a number at least 1, not `0`',
    );
  });
});

describe('devices', () => {
  test('--json parses, and nothing else is on stdout', async () => {
    const { code, stdout, stderr } = await mos(['devices', '--json']);
    const result = JSON.parse(stdout) as DevicesResult;
    expect(stderr).toBe('');
    expect(code).toBe(gpu ? 0 : 1);
    expect(result.used !== null).toBe(gpu !== null);
    if (gpu) {
      expect(result.devices[result.used!].software).toBe(gpu.software);
      expect(result.devices[result.used!].limits.maxStorageBuffersPerShaderStage).toBeGreaterThanOrEqual(8);
    }
  });

  test('a machine without any driver is told so', async () => {
    const { code, stdout, stderr } = await mos(['devices'], { env: { VK_DRIVER_FILES: '/dev/null' } });
    if (process.platform !== 'linux') return;
    expect([code, stderr]).toEqual([1, '']);
    expect(stdout).toContain('no GPU can be used: no GPU could be opened');
    expect(stdout).toContain('tried high-performance: none');
  });

  test("Dawn's own variables change nothing", async () => {
    const { code, stdout } = await mos(['devices', '--json'], { env: { DAWNNODE_BACKEND: 'null' } });
    expect(code).toBe(gpu ? 0 : 1);
    expect((JSON.parse(stdout) as DevicesResult).devices.map(d => d.name)).not.toContain('Null backend');
  });

  test('a reader that goes away is no crash', async () => {
    const script = `("${process.execPath}" src/cli/main.ts help devices; echo "exit code $?" >&2) | true`;
    const shell = Bun.spawn(['sh', '-c', script], { cwd: `${import.meta.dir}/../..`, stderr: 'pipe' });
    expect(await new Response(shell.stderr).text()).toBe('exit code 0\n');
  });
});
