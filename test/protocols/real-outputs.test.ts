/**
 * Rules on texts that a model wrote, from the test files that LLM-Adapters publishes, in a folder beside the project. The
 * counts are those of the published expressions in Python's `re`.
 */
import { expect, test } from 'bun:test';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTestSet } from '../../src/data/questions.ts';
import { PROTOCOLS, type Protocol, type ProtocolName } from '../../src/protocols/index.ts';

const FOLDER = join(import.meta.dir, '../../../shared/data');

const CASES: [file: string, protocol: ProtocolName, rule: string, agree: number, of: number][] = [
  ['SVAMP-test.json', 'svamp', 'last-number', 803, 1000],
  ['gsm8k-test.json', 'gsm8k', 'last-number', 771, 1319],
  ['AQuA-test.json', 'aqua', 'first-letter', 109, 254],
  ['AQuA-test.json', 'aqua', 'last-option', 123, 254],
  ['boolq-test.json', 'boolq', 'first-choice', 3270, 3270],
  ['ARC-Challenge-test.json', 'arc-c', 'first-choice', 1172, 1172],
];

for (const [file, name, rule, agree, of] of CASES) {
  const path = join(FOLDER, file);
  const title = `${name}, ${rule}: ${agree} of ${of} agree with the reference`;
  const run = () => {
    const protocol: Protocol = PROTOCOLS[name];
    const { items } = readTestSet(path, protocol.gold);
    const outputs = (JSON.parse(readFileSync(path, 'utf8')) as { output: string }[]).map(r => r.output);
    const right = items.filter(({ gold }, i) => {
      const answer = protocol.rules[rule](outputs[i].trim());
      return answer !== undefined && protocol.same(answer, gold);
    });
    expect([right.length, items.length]).toEqual([agree, of]);
  };
  if (existsSync(path)) test(title, run);
  else test.skip(`${title} (there is no ../shared/data/${file})`, run);
}

test.skipIf(!existsSync(join(FOLDER, 'mawps-test.json')))(
  'mawps: both published forms hold the same 238 references (needs ../shared/data)',
  () => {
    const { gold } = PROTOCOLS.mawps;
    const [test, original] = ['mawps-test.json', 'mawps-testset.json'].map(
      file => readTestSet(join(FOLDER, file), gold).items,
    );
    expect(test.length).toBe(PROTOCOLS.mawps.items);
    test.forEach((item, i) => {
      expect([item.question, Number(item.gold)]).toEqual([original[i].question, Number(original[i].gold)]);
    });
  },
);
