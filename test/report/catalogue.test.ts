/** Faults are written in house style, and none is dead. */
import { expect, test } from 'bun:test';
import { FAULTS } from '../../src/report/catalogue.ts';
import { Fault, fault } from '../../src/report/fault.ts';

test.each(Object.entries(FAULTS))('%s', (code, { about, help }) => {
  expect(code).toMatch(/^[a-z]+(-[a-z0-9]+)*$/);
  expect(about).toMatch(/^\S.*\.$/);
  // An imperative in lower case, no full stop; a proper name may start it.
  expect(help).toMatch(/^([a-z`]|GPU|WebGPU).*[^.\s]$/);
});

test('a fault carries its help, and place or help of its own go before it', () => {
  const plain = fault('no-gpu', 'no GPU could be opened');
  expect(plain).toBeInstanceOf(Fault);
  expect(plain.diagnostics).toEqual([
    { code: 'no-gpu', severity: 'error', message: 'no GPU could be opened', help: FAULTS['no-gpu'].help },
  ]);
  expect(fault('no-gpu', 'none', { help: 'buy one' }).diagnostics[0].help).toBe('buy one');
});

test('every fault in the catalogue is used somewhere', async () => {
  const root = `${import.meta.dir}/../..`;
  const texts: string[] = [];
  for await (const file of new Bun.Glob('{src,compiler}/**/*.ts').scan({ cwd: root })) {
    if (file !== 'src/report/catalogue.ts') texts.push(await Bun.file(`${root}/${file}`).text());
  }
  const all = texts.join('\n');
  expect(Object.keys(FAULTS).filter(code => !all.includes(`'${code}'`))).toEqual([]);
});
