/** `adapter` blocks: targets, layers, and the mixture with its router (geometry: Zhang et al., arXiv 2602.14490). */
import type { BlockNode } from './ast.ts';
import type { Report } from './diagnostics/report.ts';
import { mistakeInGlob } from './globs.ts';
import type { Lowered, Lowering } from './lower.ts';
import type { AdapterBlock, Expert, Parameter, Router, Span } from './program.ts';
import { adapterFields, routers, spaces } from './vocabulary/adapter.ts';

export function buildAdapter(block: BlockNode, lowering: Lowering, report: Report): AdapterBlock {
  const lowered = lowering.fields('adapter', adapterFields, block.fields);
  const { values, spans } = lowered;
  const experts = values.experts.map((expert, index): Expert => {
    const origin = spans.get(`experts.${index}`) ?? block.header;
    const rank = expert.args.rank ?? values.rank;
    if (!Object.hasOwn(spaces, expert.head)) return declaredExpert(expert, rank, origin);
    if (expert.head === 'euclid') return { space: 'euclid', learnScale: false, rank, origin };
    const curvature = expert.head === 'kappa' ? expert.args.k : expert.args.c;
    return {
      space: expert.head,
      map: expert.args.map,
      curvature,
      learnScale: expert.args.scale === 'learn',
      rank,
      origin,
    };
  });
  const router = buildRouter(lowered, experts.length, report);
  return {
    name: block.label?.text ?? 'default',
    targets: buildTargets(block, report),
    layers: buildLayers(block, report),
    rank: values.rank,
    alpha: values.alpha ?? 2 * experts.reduce((sum, { rank }) => sum + rank, 0),
    rslora: values.rslora,
    dropout: values.dropout,
    experts,
    ...(router && { router }),
    origin: block.header,
  };
}

/** An expert on a space that the file declares: its parameters are all that is not common to curved experts. */
function declaredExpert({ head, args }: { head: string; args: object }, rank: number, origin: Span): Expert {
  const { rank: _rank, scale, ...parameters } = args as { rank?: number; scale: string };
  return {
    space: head,
    parameters: parameters as Record<string, Parameter>,
    learnScale: scale === 'learn',
    rank,
    origin,
  };
}

function buildRouter(
  { values, spans, failed }: Lowered<typeof adapterFields>,
  experts: number,
  report: Report,
): Router | undefined {
  const at = (path: string): Span | undefined => spans.get(path) ?? spans.get('router');
  const written = values.router;
  if (experts < 2) {
    if (written && !failed.has('experts')) {
      report.add('router-without-choice', at('router'), 'a single expert needs no router', {
        help: 'remove `router`, or add an expert',
      });
    }
    return undefined;
  }
  const { aux } = routers.top2.params;
  if (!written)
    return {
      kind: 'top',
      k: Math.min(2, experts),
      gate: 'renorm',
      aux: aux.fallback,
      z: 0,
      noise: 0,
      on: 'input',
    };
  const { head, args } = written;
  const common = { gate: args.gate, z: args.z, noise: args.noise, on: args.on };
  if (head === 'soft') {
    if (args.aux > 0)
      nothing(
        report,
        at('router.aux'),
        '`aux` on `soft` trains nothing: no expert is left out',
        'remove `aux`',
      );
    return { kind: 'soft', k: experts, aux: 0, ...common };
  }
  const k = head === 'topk' ? written.args.k : head === 'top1' ? 1 : 2;
  if (failed.has('experts')) return { kind: 'top', k, aux: args.aux, ...common };
  if (k > experts) {
    report.add('too-few-experts', at('router.k'), `the router keeps ${k} experts, and there are ${experts}`, {
      help: `keep at most ${experts}, or add experts`,
    });
  } else if (k === 1 && args.gate === 'renorm') {
    nothing(
      report,
      at('router.gate'),
      'a single gate, renormalised, is always 1: the router trains nothing',
      'remove `gate=renorm`',
    );
  } else if (k === experts && spans.has('router.aux') && args.aux > 0) {
    nothing(
      report,
      at('router.aux'),
      `\`aux\` trains nothing: all ${experts} experts are kept`,
      'remove `aux`, or keep fewer experts',
    );
  }
  return { kind: 'top', k, aux: args.aux, ...common };
}

const nothing = (report: Report, span: Span | undefined, message: string, help: string) =>
  report.add('trains-nothing', span, message, { help });

function buildTargets(block: BlockNode, report: Report): AdapterBlock['targets'] {
  if (block.targets.length === 0 && !block.damaged) {
    report.add('missing-target', block.keyword.span, 'this adapter acts on no module', {
      help: 'write a target: `adapter q_proj < >`, or `adapter all-linear < >`',
    });
  }
  return block.targets.map(({ kind, text, span }) => {
    if (kind === 'word') {
      if (text.includes('-') && text !== 'all-linear') {
        report.add('bad-glob', span, `\`${text}\` is not a module path`, {
          help: 'write `all-linear`, or a string',
        });
      }
      return { kind: text === 'all-linear' ? 'all-linear' : 'suffix', text, origin: span };
    }
    const mistake = mistakeInGlob(text);
    if (mistake) {
      const start = Math.min(span.start + 1 + mistake.at, span.end);
      const place =
        mistake.length > 0
          ? { ...span, start, column: span.column + start - span.start, end: start + mistake.length }
          : span;
      report.add('bad-glob', place, mistake.message, { help: mistake.help });
    }
    return { kind: 'glob', text, origin: span };
  });
}

function buildLayers(block: BlockNode, report: Report): AdapterBlock['layers'] {
  return (block.layers?.ranges ?? []).map(({ first, last, span }) => {
    const bad = [first, last].find(
      ({ value, dimension }) => dimension !== 'none' || !Number.isSafeInteger(value) || value < 0,
    );
    if (bad)
      report.add('bad-layers', span, 'layers are whole numbers, from 0', {
        help: 'write `layers 2..5`, or `layers 0, 3`',
      });
    else if (first.value > last.value) {
      report.add('bad-layers', span, 'this range runs downwards', {
        help: `write \`${last.value}..${first.value}\``,
      });
    }
    return { first: first.value, last: last.value, origin: span };
  });
}
