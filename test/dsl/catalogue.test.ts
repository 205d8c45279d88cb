/** Every page of the catalogue is true: its wrong example makes the mistake, its right one makes none. */
import { describe, expect, test } from 'bun:test';
import { Report } from '../../dsl/diagnostics/report.ts';
import { type Code, catalogue, check, explain } from '../../dsl/index.ts';

const files: Record<string, string> = {
  'spaces/common.mos': 'let shared = sphere;',
  'spaces/blocks.mos': 'train < >',
};

/** Examples are as small as can be; what they leave out is added, unless its absence is the point. */
function run(code: Code, text: string) {
  const whole = code === 'missing-adapter' || /\badapter\b|adaptor/.test(text);
  return check('main.mos', whole ? text : `${text}\nadapter o_proj < >`, {
    readFile: path => files[path],
    ...(code !== 'missing-model' && !/model/.test(text) && { overrides: { model: 'm' } }),
    needs: { data: code === 'missing-data' },
  });
}

describe('catalogue', () => {
  for (const [code, { wrong, right, severity, about }] of Object.entries(catalogue)) {
    test(code, () => {
      const { diagnostics, program } = run(code as Code, wrong);
      expect(diagnostics.map(diagnostic => diagnostic.code)).toContain(code);
      expect(program === undefined).toBe(diagnostics.some(diagnostic => diagnostic.severity === 'error'));
      if (code !== 'too-many-mistakes')
        expect([...new Set(diagnostics.map(diagnostic => diagnostic.code))]).toEqual([code]);
      expect(run(code as Code, right).diagnostics).toEqual([]);
      expect(['error', 'warning', 'note']).toContain(severity);
      expect(about).toEndWith('.');
      expect(code).toMatch(/^[a-z]+(-[a-z]+)*$/);
    });
  }

  test('a code that is not in it does not compile', () => {
    const report = new Report();
    // @ts-expect-error: checked by tsc
    const wrong = () => report.add('no-such-code', undefined, 'never said');
    expect(wrong).toThrow();
  });

  test('explain prints a page, or nothing for a code that is none', () => {
    expect(explain('trains-nothing')).toContain('router: top1(gate=renorm)');
    expect(explain('no-such-code')).toBeUndefined();
    expect(explain('toString')).toBeUndefined();
  });
});
