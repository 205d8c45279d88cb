/** How long the language takes for a program of 10,000 lines: processor time, as a busy machine would spoil the clock. */

import { rolesOf } from '../dsl/editor/roles.ts';
import { format } from '../dsl/format.ts';
import { check } from '../dsl/index.ts';
import { Source } from '../dsl/source.ts';
import { readSyntax } from '../dsl/syntax.ts';

const ADAPTERS = 1667;
const adapter = (i: number) => `adapter a${i}: q_proj, "mlp.{gate,up}_proj" layers 2..5 <
  rank: 8; alpha: 16;
  // the experts
  experts: $curved * 2, sphere(c=learn), euclid;
  router: top2(aux=0.01)
>
`;
const text = `model "m" < >\nlet curved = hyperbolic(c=learn(init=0.1));\n${Array.from({ length: ADAPTERS }, (_, i) => adapter(i)).join('')}`;

function measure(name: string, action: () => unknown): void {
  const times = Array.from({ length: 5 }, () => {
    const before = process.cpuUsage();
    action();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / 1e6;
  });
  const rest = times.slice(1).sort((a, b) => a - b);
  console.log(
    `${name.padEnd(8)} first ${times[0].toFixed(2)} s, then ${rest[Math.floor(rest.length / 2)].toFixed(2)} s`,
  );
}

console.log(`${text.split('\n').length} lines, ${text.length} characters`);
measure('parse', () => readSyntax(new Source('main.mos', text)));
measure('check', () => check('main.mos', text));
measure('format', () => format('main.mos', text));
measure('colours', () => rolesOf(text));
