/** Paths that are not what they should be, given to the real program: a diagnostic, never a stack, nothing lost. */
import { describe, expect, test } from 'bun:test';
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { mos } from '../cli/run.ts';
import { listing, newFolder, tiny } from './rig.ts';

const LIMIT_MS = 60_000;
const MAIN = join(import.meta.dir, '../../src/cli/main.ts');
const { folder, program } = tiny();
const at = (...names: string[]) => join(folder, ...names);

symlinkSync('b', at('a'));
symlinkSync('a', at('b'));
Bun.spawnSync(['mkfifo', at('pipe')]);
const long = 'x'.repeat(300);

describe('one diagnostic', () => {
  const data = ['--data', at('pipe')];
  const cases: [what: string, args: string[], code: string][] = [
    ['no such program', ['check', at('none.mos')], 'file-not-found'],
    ['a folder for a program', ['check', folder], 'file-not-found'],
    ['links that lead to each other', ['check', at('a')], 'unreadable-file'],
    ['a name that is too long', ['check', at(long)], 'unreadable-file'],
    ['a file for an output folder', ['compile', program, '--out', program], 'unreadable-file'],
    ['a file above the output folder', ['train', program, '--out', join(program, 'x')], 'unreadable-file'],
    ['links for an output folder', ['compile', program, '--out', at('a')], 'unreadable-file'],
    ['no such model', ['compile', program, '--model', at('a')], 'model-not-found'],
    ['a pipe for data', ['train', program, ...data, '--out', newFolder()], 'unreadable-file'],
    ['a device for data', ['train', program, '--data', '/dev/zero', '--out', newFolder()], 'unreadable-file'],
    ['no such adapter', ['generate', program, '--prompt', 'a', '--adapter', at('none')], 'file-not-found'],
  ];
  test.each(cases)(
    '%s',
    async (_, args, code) => {
      const { code: exit, stdout, stderr } = await mos(args);
      expect([exit, stdout]).toEqual([1, '']);
      expect(stderr).toContain(`error[${code}]: `);
      expect(stderr).not.toMatch(/^ +at /m);
    },
    LIMIT_MS,
  );
});

test(
  'what is in the way of an output is found before training, and left alone',
  async () => {
    const elsewhere = newFolder();
    const precious = join(elsewhere, 'precious');
    writeFileSync(precious, 'mine');
    const ways: [string, (path: string) => void][] = [
      ['adapter', path => symlinkSync(elsewhere, path)],
      ['checkpoints', path => symlinkSync(elsewhere, path)],
      ['checkpoints', path => writeFileSync(path, '')],
      ['log.jsonl', path => symlinkSync(precious, path)],
      ['run.lock', path => mkdirSync(path)],
      ['adapter/adapter_config.json', path => mkdirSync(path, { recursive: true })],
      // Somebody else's files of the same names.
      ['log.jsonl', path => writeFileSync(path, '{"prompt":"1+1=","completion":"2"}\n')],
      ['adapter/adapter_config.json', path => writePeft(path)],
    ];
    for (const [name, put] of ways) {
      const out = newFolder();
      put(join(out, name));
      const { code, stderr } = await mos(['train', program, '--out', out]);
      expect([name, code]).toEqual([name, 1]);
      expect(stderr).toContain(`error[unsafe-path]: \`${join(out, name)}\` is in the way`);
      expect(existsSync(join(out, 'run.lock'))).toBe(name === 'run.lock');
    }
    expect([listing(elsewhere), readFileSync(precious, 'utf8')]).toEqual([['precious'], 'mine']);
  },
  LIMIT_MS,
);

function writePeft(path: string): void {
  mkdirSync(dirname(path));
  writeFileSync(path, '{"peft_type": "LORA", "r": 8}');
}

test(
  'a current folder that was deleted: said, and nothing is written anywhere',
  async () => {
    const gone = newFolder();
    const shell = `cd "${gone}" && rmdir "${gone}" && "${process.execPath}" "${MAIN}" compile "${program}"`;
    const run = Bun.spawn(['bash', '-c', shell], { stdout: 'pipe', stderr: 'pipe' });
    const stderr = await new Response(run.stderr).text();
    expect(stderr).toContain('error[file-not-found]: the current folder was deleted');
    expect(await run.exited).toBe(1);
  },
  LIMIT_MS,
);

// The administrator may do everything, so whoever that is tries it as somebody else.
const root = process.getuid?.() === 0;
const other = root ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : [];
test.skipIf(root && Bun.which('setpriv') === null)(
  'files and folders that may not be read or written',
  async () => {
    const out = newFolder();
    const secret = at('secret.mos');
    writeFileSync(secret, readFileSync(program));
    Bun.spawnSync(['chmod', '-R', 'a+rX', dirname(folder)]);
    chmodSync(secret, 0o000);
    chmodSync(out, 0o555);
    const tried: [string[], string][] = [
      [['check', secret], 'unreadable-file'],
      [['compile', program, '--out', join(out, 'x')], 'unwritable-file'],
    ];
    for (const [args, code] of tried) {
      const run = Bun.spawn([...other, process.execPath, MAIN, ...args], { stdout: 'pipe', stderr: 'pipe' });
      expect(await new Response(run.stderr).text()).toContain(`error[${code}]: `);
      expect(await run.exited).toBe(1);
    }
  },
  LIMIT_MS,
);
