/** Faults 33 to 39: texts of programs. */
import { expect } from 'bun:test';
import { check, format } from '../../dsl/index.ts';
import { compileTiny, tinyProgram, writeTinyModel } from '../tiny-model.ts';
import { generator, newFolder } from './rig.ts';
import { fault } from './table.ts';

const PROGRAM = tinyProgram();

/** `severity code` of every diagnostic; no exception whatever the text. */
function diagnose(text: string, files: Record<string, string> = {}): string[] {
  return check('a.mos', text, { readFile: path => files[path] }).diagnostics.map(
    d => `${d.severity} ${d.code}`,
  );
}

fault(33, 'random bytes and unterminated strings give diagnostics, never an exception', () => {
  const random = generator(33);
  for (let i = 0; i < 300; i++) {
    const bytes = Uint8Array.from({ length: 80 }, () => Math.floor(random() * 256));
    expect(diagnose(new TextDecoder().decode(bytes)).length).toBeGreaterThan(0);
  }
  expect(diagnose('model "abc')).toEqual(['error unterminated-string']);
});

fault(34, 'a hundred thousand nested brackets', () => {
  expect(diagnose(PROGRAM.replace('rank: 4', `rank: ${'('.repeat(100_000)}`))).toContain('error too-deep');
  expect(diagnose('{'.repeat(100_000)).length).toBeLessThan(10);
});

fault(35, '1e999, NaN, and what f32 cannot hold', () => {
  expect(diagnose(PROGRAM.replace('lr: 1e-2', 'lr: 1e999'))).toEqual(['error number-too-large']);
  expect(diagnose(PROGRAM.replace('lr: 1e-2', 'lr: NaN'))).toEqual(['error wrong-value']);
});

fault(36, 'characters that change the order of text are warned of', () => {
  expect(diagnose(`// \u202e abc\n${PROGRAM}`)).toEqual(['warning bidi-character']);
});

fault(
  37,
  'ranks of 0 or above the layer, curvatures of the wrong sign, targets that match nothing or overlap',
  () => {
    expect(diagnose(PROGRAM.replace('rank: 4', 'rank: 0'))).toEqual(['error out-of-range']);
    expect(diagnose(PROGRAM.replace('c=learn', 'c=-1'))).toEqual(['error out-of-range']);
    expect(diagnose(PROGRAM.replace('c=learn', 'c=nan'))).toEqual(['error unknown-choice']);
    const folder = newFolder();
    writeTinyModel(`${folder}/model`);
    const compiled = (from: string, to: string) => () => compileTiny(folder, PROGRAM.replace(from, to));
    expect(compiled('rank: 4', 'rank: 40')).toThrow('rank 40 exceeds 32');
    expect(compiled('q_proj, ', 'nothing, ')).toThrow('`nothing` matches no linear layer');
    expect(compiled('adapter q_proj', 'adapter q_proj < rank: 4 >\nadapter q_proj')).toThrow(
      'two adapters named',
    );
  },
);

fault(38, 'formatting twice is formatting once, and means the same', () => {
  const once = format('a.mos', PROGRAM.replaceAll(' ', '   ')).text!;
  expect(format('a.mos', once).text).toBe(once);
  const meaning = (text: string) =>
    JSON.stringify(check('a.mos', text).program, (key, value) => (key === 'origin' ? undefined : value));
  expect(meaning(once)).toBe(meaning(PROGRAM));
});

fault(39, 'programs that use each other, or files outside the project', () => {
  expect(diagnose(`use "../x.mos"\n${PROGRAM}`, { '../x.mos': '' })).toEqual(['error use-outside-root']);
  const files = { 'a.mos': 'use "b.mos"\n', 'b.mos': 'use "a.mos"\n' };
  expect(diagnose(`use "b.mos"\n${PROGRAM}`, files)).toEqual(['error use-cycle']);
});
