/** `mos fmt` and `mos check --format` on files, as a user and as a build would run them. */
import { afterAll, beforeAll, describe, expect, test } from 'bun:test';
import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { mos } from './run.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'mos-fmt-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const put = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};
const get = (path: string) => readFileSync(path, 'utf8');

const UGLY = 'adapter q_proj<rank:8;experts:sphere,euclid>// end';
const NEAT = 'adapter q_proj < rank: 8; experts: sphere, euclid > // end\n';
const BROKEN = 'adapter q_proj < rank: 8';

describe('mos fmt', () => {
  test('rewrites files in place, leaves neat and broken ones alone, and nothing behind', async () => {
    const [ugly, neat, broken] = [put('ugly.mos', UGLY), put('neat.mos', NEAT), put('broken.mos', BROKEN)];
    const { code, stdout, stderr } = await mos(['fmt', ugly, broken, neat]);
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toContain('error[unclosed-body]');
    expect(stderr).toContain(`${ugly}: rewritten`);
    expect(stderr).not.toContain(`${neat}: rewritten`);
    expect([get(ugly), get(neat), get(broken)]).toEqual([NEAT, NEAT, BROKEN]);
    expect(readdirSync(folder).sort()).toEqual(['broken.mos', 'neat.mos', 'ugly.mos']);
  });

  test('--check writes nothing; --stdout prints', async () => {
    const [ugly, neat] = [put('ugly.mos', UGLY), put('neat.mos', NEAT)];
    const [would, wouldNot, printed] = await Promise.all([
      mos(['fmt', '--check', ugly, neat]),
      mos(['fmt', '--check', neat]),
      mos(['fmt', '--stdout', ugly]),
    ]);
    expect([would.code, wouldNot.code, printed.code]).toEqual([1, 0, 0]);
    expect(would.stderr).toContain('ugly.mos: not in style');
    expect(printed.stdout).toBe(NEAT);
    expect(get(ugly)).toBe(UGLY);
  });

  test('follows a link, which stays one', async () => {
    const ugly = put('ugly.mos', UGLY);
    const link = join(folder, 'link.mos');
    symlinkSync(ugly, link);
    expect((await mos(['fmt', link])).code).toBe(0);
    expect(get(ugly)).toBe(NEAT);
    expect(
      readdirSync(folder, { withFileTypes: true })
        .find(({ name }) => name === 'link.mos')
        ?.isSymbolicLink(),
    ).toBe(true);
  });

  test('mistakes', async () => {
    const [none, both] = await Promise.all([
      mos(['fmt', join(folder, 'none.mos')]),
      mos(['fmt', '--check', '--stdout', put('neat.mos', NEAT)]),
    ]);
    expect([none.code, both.code]).toEqual([1, 1]);
    expect(none.stderr).toContain('error[file-not-found]');
    expect(both.stderr).toContain('error[bad-argument]');
  });
});

describe('mos check --format', () => {
  const WRONG = 'adapter q_proj < experts: sphrere >\nadapter o_proj < rank: 0; router: top2 >\n';

  test('json: one object, places from 1, sources by path', async () => {
    const file = put('wrong.mos', WRONG);
    const { code, stdout } = await mos(['check', file, '--format', 'json']);
    expect(code).toBe(1);
    const { version, diagnostics } = JSON.parse(stdout) as {
      version: number;
      diagnostics: { code: string }[];
    };
    expect(version).toBe(1);
    expect(diagnostics.map(each => each.code)).toEqual(['unknown-space', 'out-of-range']);
    expect(diagnostics[0]).toMatchObject({ severity: 'error', help: 'replace it with `sphere`' });
  });

  test('github: one annotation a line', async () => {
    const { code, stdout } = await mos(['check', put('wrong.mos', WRONG), '--format', 'github']);
    expect(code).toBe(1);
    const lines = stdout.trim().split('\n');
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toMatch(/^::error file=.*wrong\.mos,line=\d+,.*title=.*::/);
  });

  test('text: a frame on stderr; a clean file exits with 0', async () => {
    const [wrong, right] = await Promise.all([
      mos(['check', put('wrong.mos', WRONG)]),
      mos(['check', put('neat.mos', NEAT), '--format', 'text']),
    ]);
    expect([wrong.code, wrong.stdout, right.code, right.stdout]).toEqual([1, '', 0, '']);
    expect(wrong.stderr).toContain('1 | adapter q_proj < experts: sphrere >');
    expect(wrong.stderr).toContain('2 errors');
    expect(right.stderr).toContain('no errors');
  });

  test('another format is an error', async () => {
    const { code, stderr } = await mos(['check', put('neat.mos', NEAT), '--format', 'xml']);
    expect(code).toBe(1);
    expect(stderr).toContain('error[bad-argument]');
  });
});
