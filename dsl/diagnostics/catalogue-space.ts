/** Mistakes in the declaration of a space. What its profiles compute is the compiler's to check. */
import { entries } from './entry.ts';

const use = (text: string) => `${text}\nadapter q_proj < experts: euclid >`;
const horn = 'space horn(c: positive) < lift(r) = log(1 + c*r) / c; drop(r) = (exp(c*r) - 1) / c >';

export const spaceEntries = entries({
  'bad-expression': {
    severity: 'error',
    about: 'A profile is an expression of numbers, names, + - * / ^, parentheses and calls.',
    wrong: use(horn.replace('c*r', 'c r')),
    right: use(horn),
  },
  'bad-profile': {
    severity: 'error',
    about:
      'A space has two profiles, `lift(r) = …` and `drop(r) = …`, each once and over a radius of its own name.',
    wrong: use(horn.replace('lift(r)', 'lift')),
    right: use(horn),
  },
  'missing-profile': {
    severity: 'error',
    about: 'A space says how vectors are lifted onto it and dropped from it.',
    wrong: use('space horn(c: positive) < lift(r) = log(1 + c*r) / c >'),
    right: use(horn),
  },
  'bad-space-parameter': {
    severity: 'error',
    about: 'A space has up to four parameters, none called like a function or like what every expert has.',
    wrong: use('space ball(rank: positive) < lift(r) = r; drop(r) = r >'),
    right: use('space ball(size: positive) < lift(r) = r; drop(r) = r >'),
  },
  'duplicate-space': {
    severity: 'error',
    about: 'A space has a name of its own.',
    wrong: use('space sphere < lift(r) = r; drop(r) = r >'),
    right: use('space plane < lift(r) = r; drop(r) = r >'),
  },
  'unknown-domain': {
    severity: 'error',
    about: 'A parameter is `positive`, `real` or `unit` (between 0 and 1); without a domain it is real.',
    wrong: use(horn.replace('positive', 'positiv')),
    right: use(horn),
  },
  'unknown-function': {
    severity: 'error',
    about: 'Expressions call a fixed set of functions.',
    wrong: use(horn.replace('log', 'ln')),
    right: use(horn),
  },
  'wrong-arity': {
    severity: 'error',
    about: 'A function takes one argument, or two.',
    wrong: use(horn.replace('log(1 + c*r)', 'log(1 + c*r, 2)')),
    right: use(horn),
  },
  'unknown-name': {
    severity: 'error',
    about: 'An expression reads the radius and the parameters of its space, and nothing else.',
    wrong: use(horn.replace('c*r', 'k*r')),
    right: use(horn),
  },
});
