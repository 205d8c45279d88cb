/**
 * What each extraction rule makes of texts that models wrote, and how often rules differ:
 *
 *   bun bench/extraction.ts DIR
 *
 * DIR holds test files in the form LLM-Adapters publishes, whose `output` is another model's answer: SVAMP-test.json,
 * gsm8k-test.json, AQuA-test.json and others. In the commonsense files `output` is
 * written from the reference, so anything but full agreement there is a fault of the rule. Writes
 * bench/results/extraction.json and extraction.md: counts only, no text of the files.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readTestSet } from '../src/data/questions.ts';
import { summarise } from '../src/data/score.ts';
import { PROTOCOLS, type Protocol, type ProtocolName } from '../src/protocols/index.ts';

const FILES: [file: string, protocol: ProtocolName][] = [
  ['SVAMP-test.json', 'svamp'],
  ['gsm8k-test.json', 'gsm8k'],
  ['AQuA-test.json', 'aqua'],
  ['boolq-test.json', 'boolq'],
  ['ARC-Challenge-test.json', 'arc-c'],
];

const folder = process.argv[2];
if (!folder) {
  console.error('usage: bun bench/extraction.ts DIR');
  process.exit(1);
}
const rows = FILES.filter(([file]) => existsSync(join(folder, file))).flatMap(([file, name]) => {
  const protocol: Protocol = PROTOCOLS[name];
  const { items } = readTestSet(join(folder, file), protocol.gold);
  const outputs = (JSON.parse(readFileSync(join(folder, file), 'utf8')) as { output: string }[]).map(r =>
    r.output.trim(),
  );
  const taken = (rule: string) => outputs.map(output => protocol.rules[rule](output));
  const [first] = Object.keys(protocol.rules);
  return Object.keys(protocol.rules).map(rule => {
    const answers = taken(rule);
    const right = answers.filter((a, i) => a !== undefined && protocol.same(a, items[i].gold)).length;
    const other = taken(first).filter((a, i) =>
      a === undefined || answers[i] === undefined ? a !== answers[i] : !protocol.same(a, answers[i]),
    ).length;
    const none = answers.filter(a => a === undefined).length;
    return { file, protocol: name, rule, ...summarise(right, items.length), none, other };
  });
});

const text = [
  '# Extraction rules on real answers',
  '',
  'Answers that come with the published test files (`output`, written by another model), read by each rule and compared',
  'with the references. `differs`: from the first rule of the protocol. `bun bench/extraction.ts DIR`',
  '',
  '| protocol | rule | no answer | agrees with the reference | 95 % interval | differs |',
  '| --- | --- | --- | --- | --- | --- |',
  ...rows.map(
    r =>
      `| ${r.protocol} | ${r.rule} | ${r.none} | ${r.correct}/${r.total}, ${(100 * r.accuracy).toFixed(1)} % | ` +
      `${(100 * r.low).toFixed(1)} to ${(100 * r.high).toFixed(1)} % | ${r.other} |`,
  ),
].join('\n');
console.log(text);
const results = join(import.meta.dirname, 'results');
writeFileSync(
  join(results, 'extraction.json'),
  `${JSON.stringify({ command: 'bun bench/extraction.ts DIR', rows }, null, 1)}\n`,
);
writeFileSync(join(results, 'extraction.md'), `${text}\n`);
