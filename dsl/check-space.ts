/** `space` declarations: names, domains, functions. What the profiles compute is checked by the compiler. */
import type { ExpressionNode, Name, SpaceNode, SpaceParamNode } from './ast.ts';
import type { Report } from './diagnostics/report.ts';
import { helpFor, oneOf } from './diagnostics/suggest.ts';
import { Lowering } from './lower.ts';
import type { Names } from './names.ts';
import type { Parameter } from './program.ts';
import {
  type Expression,
  MOST_PARAMETERS,
  SPACE_DOMAINS,
  SPACE_FUNCTIONS,
  type SpaceDefinition,
  type SpaceDomain,
  type SpaceFunction,
  type SpaceParameter,
  type SpaceProfile,
} from './space.ts';
import { spaces as builtIn } from './vocabulary/adapter.ts';
import { domainShape, userSpace } from './vocabulary/space.ts';

const isDomain = (word: string): word is SpaceDomain => Object.hasOwn(SPACE_DOMAINS, word);
const isFunction = (word: string): word is SpaceFunction => Object.hasOwn(SPACE_FUNCTIONS, word);

/** Reads every declared space once; what an expert can then name is in `names.spaces`. */
export function buildSpaces(names: Names, report: Report): void {
  if (names.spacesRead) return;
  names.spacesRead = true;
  const lowering = new Lowering(report, names, () => []);
  for (const declared of names.spaces.values()) {
    const definition = new SpaceReader(declared.node, lowering, report, names.standard).read();
    if (definition) Object.assign(declared, { definition, head: userSpace(definition) });
  }
}

class SpaceReader {
  private readonly node: SpaceNode;
  private readonly lowering: Lowering;
  private readonly report: Report;
  private readonly standard: boolean;

  constructor(node: SpaceNode, lowering: Lowering, report: Report, standard: boolean) {
    this.standard = standard;
    this.node = node;
    this.lowering = lowering;
    this.report = report;
  }

  read(): SpaceDefinition | undefined {
    const { node, report } = this;
    const { name } = node;
    if (!name) return undefined;
    const before = report.list.length;
    if (!this.standard && Object.hasOwn(builtIn, name.text)) {
      report.add('duplicate-space', name.span, `\`${name.text}\` is a built-in space`, {
        help: 'give it another name',
      });
    } else this.plainName(name);
    const parameters = this.parameters(node.params);
    const lift = this.profile('lift', parameters);
    const drop = this.profile('drop', parameters);
    for (const profile of node.profiles) {
      if (profile.name.text !== 'lift' && profile.name.text !== 'drop') {
        report.add('bad-profile', profile.name.span, `a space has no profile \`${profile.name.text}\``, {
          help: helpFor(profile.name.text, ['lift', 'drop']) ?? 'write `lift` or `drop`',
        });
      }
    }
    if (node.damaged || !lift || !drop || report.list.slice(before).some(d => d.severity === 'error'))
      return undefined;
    return { name: name.text, parameters, lift, drop, origin: name.span };
  }

  private plainName({ text, span }: Name): void {
    if (!text.includes('.')) return;
    this.report.add('bad-name', span, `\`${text}\` is not a name`, { help: 'write letters, digits and `_`' });
  }

  private parameters(nodes: SpaceParamNode[]): SpaceParameter[] {
    const { report } = this;
    const seen = new Map<string, SpaceParamNode>();
    const [, , , , tooMany] = nodes;
    if (tooMany) {
      report.add('bad-space-parameter', tooMany.span, `a space has at most ${MOST_PARAMETERS} parameters`, {
        help: 'use fewer',
      });
    }
    return nodes.map(node => {
      const { name, domain } = node;
      this.plainName(name);
      const first = seen.get(name.text);
      if (first) {
        report.add('duplicate-parameter', name.span, `\`${name.text}\` is given twice`, {
          related: [{ span: first.name.span, message: 'first given here' }],
          help: 'remove one of them',
        });
      } else seen.set(name.text, node);
      if (['map', 'scale', 'rank'].includes(name.text) || isFunction(name.text)) {
        report.add('bad-space-parameter', name.span, `a parameter cannot be called \`${name.text}\``, {
          help: 'give it another name',
        });
      }
      if (domain && !isDomain(domain.text)) {
        report.add('unknown-domain', domain.span, `\`${domain.text}\` is not a domain`, {
          help:
            helpFor(domain.text, Object.keys(SPACE_DOMAINS)) ?? `write ${oneOf(Object.keys(SPACE_DOMAINS))}`,
        });
      }
      const of = domain && isDomain(domain.text) ? domain.text : 'real';
      return { name: name.text, domain: of, fallback: this.fallback(node, of), origin: node.span };
    });
  }

  private fallback({ name, value }: SpaceParamNode, domain: SpaceDomain): Parameter {
    const shape = domainShape(domain);
    const given = value && this.lowering.parameter(value, shape, name.text);
    return given ?? { kind: 'learn', init: shape.init };
  }

  private profile(which: 'lift' | 'drop', parameters: SpaceParameter[]): SpaceProfile | undefined {
    const { node, report } = this;
    const [found, second] = node.profiles.filter(({ name }) => name.text === which);
    if (second && found) {
      report.add('bad-profile', second.name.span, `\`${which}\` is given twice`, {
        related: [{ span: found.name.span, message: 'first given here' }],
        help: 'remove one of them',
      });
    }
    if (!found) {
      if (!node.damaged && node.name) {
        report.add('missing-profile', node.name.span, `space \`${node.name.text}\` has no \`${which}\``, {
          help: `write \`${which}(r) = …\` between \`<\` and \`>\``,
        });
      }
      return undefined;
    }
    const { variable } = found;
    const clash = parameters.find(({ name }) => name === variable.text);
    if (clash) {
      report.add(
        'bad-profile',
        variable.span,
        `\`${variable.text}\` is a parameter, and so cannot be the radius`,
        { help: 'give the radius another name' },
      );
    }
    const body = this.expression(found.body, [variable.text, ...parameters.map(({ name }) => name)]);
    return body && { variable: variable.text, body, origin: found.span };
  }

  private expression(e: ExpressionNode, known: string[]): Expression | undefined {
    const { report } = this;
    switch (e.kind) {
      case 'number':
        return e;
      case 'name': {
        if (known.includes(e.name)) return e;
        const help = isFunction(e.name)
          ? `write \`${e.name}(…)\`: it is a function`
          : (helpFor(e.name, known) ?? `write ${oneOf(known)}`);
        report.add('unknown-name', e.span, `\`${e.name}\` is neither the radius nor a parameter`, { help });
        return undefined;
      }
      case 'negate': {
        const operand = this.expression(e.operand, known);
        return operand && { ...e, operand };
      }
      case 'binary': {
        const left = this.expression(e.left, known);
        const right = this.expression(e.right, known);
        return left && right && { ...e, left, right };
      }
      case 'call': {
        const args = e.args.map(arg => this.expression(arg, known));
        const { text, span } = e.name;
        if (!isFunction(text)) {
          const functions = Object.keys(SPACE_FUNCTIONS);
          report.add('unknown-function', span, `\`${text}\` is not a function`, {
            help:
              helpFor(text, functions) ??
              (known.includes(text) ? `write \`${text} * (…)\`` : `write one of ${oneOf(functions)}`),
          });
          return undefined;
        }
        const wanted = SPACE_FUNCTIONS[text];
        if (args.length !== wanted) {
          report.add(
            'wrong-arity',
            e.span,
            `\`${text}\` takes ${wanted === 1 ? 'one argument' : 'two arguments'}, not ${args.length}`,
            {
              help: `write \`${text}(${wanted === 1 ? 'x' : 'x, y'})\``,
            },
          );
          return undefined;
        }
        if (args.some(arg => !arg)) return undefined;
        return { kind: 'call', name: text, args: args as Expression[], span: e.span };
      }
      default:
        return e satisfies never;
    }
  }
}
