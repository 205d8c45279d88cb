/** The same diagnostics as text, JSON and workflow annotations. */
import { describe, expect, test } from 'bun:test';
import { check, renderGithub, renderJson, renderText } from '../../dsl/index.ts';
import { TINY } from './tiny.ts';

const run = (text: string) => check('tiny.mos', text, { overrides: { model: 'm' } });

describe('text', () => {
  test('a frame with a caret', () => {
    const { diagnostics, sources } = run(TINY.replace('sphere', 'sphrere'));
    expect(renderText(diagnostics, sources)).toBe(`error[unknown-space]: \`sphrere\` is not a space
  --> tiny.mos:7:25
7 |   experts: $curved * 2, sphrere(c=learn), euclid;
  |                         ^^^^^^^
  = help: replace it with \`sphere\`
`);
  });

  test('gutters grow with the line number; related places have their own frame', () => {
    const { diagnostics, sources } = run(`${'\n'.repeat(8)}adapter q_proj <\n\trank: 8; rank: 9\n>`);
    expect(renderText(diagnostics, sources)).toBe(`error[duplicate-field]: \`rank\` is given twice
   --> tiny.mos:10:11
10 | \trank: 8; rank: 9
   | \t         ^^^^
   ::: tiny.mos:10:2
10 | \trank: 8; rank: 9
   | \t---- first given here
   = help: remove one of them
`);
  });

  test('no place, no source, a place at the end', () => {
    const { diagnostics } = run('adapter q_proj < > train < steps: 3');
    expect(renderText(diagnostics, {})).toBe(`error[unclosed-body]: the body of this \`train\` does not end
  --> tiny.mos:1:26
  = help: write \`>\` after its last field, at the end of line 1
`);
    expect(renderText([{ code: 'no-gpu', severity: 'error', message: 'there is no GPU' }], {})).toBe(
      'error[no-gpu]: there is no GPU\n',
    );
  });

  test('colour only when asked; nothing from a file reaches the terminal raw', () => {
    const { diagnostics, sources } = run('adapter q_proj < rank: 8; \u001b[31mred: 3 >');
    expect(renderText(diagnostics, sources)).not.toContain('\u001b');
    expect(renderText(diagnostics, sources, { color: true })).toContain('\u001b[31m');
  });

  test('long lines are cut around the caret', () => {
    const { diagnostics, sources } = run(
      `adapter q_proj < > /* ${'x'.repeat(5000)} */ oops < > // ${'y'.repeat(5000)}`,
    );
    for (const line of renderText(diagnostics, sources).split('\n')) expect(line.length).toBeLessThan(140);
    expect(renderText(diagnostics, sources)).toContain('oops');
  });
});

test('JSON: one versioned object', () => {
  const { diagnostics, sources } = run('adapter q_proj <\n  rank = 8\n>');
  expect(JSON.parse(renderJson(diagnostics, sources))).toEqual({
    version: 1,
    errors: 1,
    warnings: 0,
    diagnostics: [
      {
        code: 'equals-for-colon',
        severity: 'error',
        message: 'fields are bound by `:`',
        help: 'replace it with `:`',
        place: {
          file: 'tiny.mos',
          start: { offset: 24, line: 2, column: 8 },
          end: { offset: 25, line: 2, column: 9 },
        },
        fix: {
          description: 'write `:`',
          applicability: 'safe',
          edits: [
            {
              place: {
                file: 'tiny.mos',
                start: { offset: 24, line: 2, column: 8 },
                end: { offset: 25, line: 2, column: 9 },
              },
              text: ':',
            },
          ],
        },
      },
    ],
  });
});

test('GitHub: escaped workflow commands', () => {
  const { diagnostics } = check('a,b.mos', 'adapter q_proj < dropout: 150% >', { overrides: { model: 'm' } });
  expect(renderGithub(diagnostics)).toBe(
    '::error file=a%2Cb.mos,line=1,col=27,title=out-of-range::`dropout` must be a fraction from 0 up to, but not including, 1, not 1.5%0Ahelp: write a fraction from 0 up to, but not including, 1\n',
  );
});

test('safe fixes mend what they say they mend', () => {
  let text =
    "adapter q_proj {\n  rank: 8\n  alpha = .5;\n  dropout: 5 %;\n  experts: sphere(c: 1), euclid, ;\n>\ndata 'a.jsonl' < >";
  for (let round = 0; round < 20; round++) {
    const fix = run(text).diagnostics.find(diagnostic => diagnostic.fix?.applicability === 'safe')?.fix;
    if (!fix) break;
    for (const { span, text: with_ } of fix.edits)
      text = text.slice(0, span.start) + with_ + text.slice(span.end);
  }
  expect(run(text).diagnostics).toEqual([]);
  expect(text).toContain('alpha : 0.5;');
});
