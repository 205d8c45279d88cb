/** A declared space as text. Parentheses stand where precedence would read another tree. */
import { parameterText } from './print-experts.ts';
import type { Expression, SpaceDefinition } from './space.ts';

const LEVEL = { '+': 1, '-': 1, '*': 2, '/': 2, '^': 4 } as const;
const UNARY = 3;
const ATOM = 5;

const levelOf = (node: Expression): number => {
  if (node.kind === 'binary') return LEVEL[node.operator];
  if (node.kind === 'negate' || (node.kind === 'number' && node.value < 0)) return UNARY;
  return ATOM;
};

/** `least`: what binds less than this needs parentheses. */
function expression(node: Expression, least = 0): string {
  const text = bare(node);
  return levelOf(node) < least ? `(${text})` : text;
}

function bare(node: Expression): string {
  switch (node.kind) {
    case 'number':
      return String(node.value);
    case 'name':
      return node.name;
    case 'negate':
      return `-${expression(node.operand, UNARY)}`;
    case 'call':
      return `${node.name}(${node.args.map(one => expression(one)).join(', ')})`;
    case 'binary': {
      const level = LEVEL[node.operator];
      // `^` groups to the right, the others to the left.
      const [left, right] = node.operator === '^' ? [level + 1, UNARY] : [level, level + 1];
      return `${expression(node.left, left)} ${node.operator} ${expression(node.right, right)}`;
    }
    default:
      return node satisfies never;
  }
}

export function printSpace({ name, parameters, lift, drop }: SpaceDefinition): string {
  const params = parameters.map(
    ({ name: of, domain, fallback }) => `${of}: ${domain} = ${parameterText(fallback, undefined)}`,
  );
  const head = params.length > 0 ? `${name}(${params.join(', ')})` : name;
  const profiles = Object.entries({ lift, drop }).map(
    ([of, { variable, body }]) => `${of}(${variable}) = ${expression(body)}`,
  );
  return `space ${head} < ${profiles.join('; ')} >`;
}
