/**
 * A space as a program: two radial profiles over a radius and parameters, as plain data. `lift` takes the radius of a
 * tangent vector at the origin to that of a point's space component, `drop` takes it back.
 */
import type { Parameter, Span } from './program.ts';

/** Functions of expressions, and how many arguments each takes. */
export const SPACE_FUNCTIONS = {
  sqrt: 1,
  exp: 1,
  log: 1,
  log1p: 1,
  sin: 1,
  cos: 1,
  tan: 1,
  asin: 1,
  atan: 1,
  sinh: 1,
  cosh: 1,
  tanh: 1,
  asinh: 1,
  sin_k: 2,
  asin_k: 2,
  abs: 1,
  min: 2,
  max: 2,
} as const;
export type SpaceFunction = keyof typeof SPACE_FUNCTIONS;

export type Expression = { span: Span } & (
  | { kind: 'number'; value: number }
  | { kind: 'name'; name: string }
  | { kind: 'negate'; operand: Expression }
  | { kind: 'binary'; operator: '+' | '-' | '*' | '/' | '^'; left: Expression; right: Expression }
  | { kind: 'call'; name: SpaceFunction; args: Expression[] }
);

/** Where a parameter lives, and what is stored of it: its logarithm, itself, its logit. */
export const SPACE_DOMAINS = {
  positive: 'above 0, stored as its logarithm',
  real: 'any number, stored as it is',
  unit: 'between 0 and 1, stored as its logit',
} as const;
export type SpaceDomain = keyof typeof SPACE_DOMAINS;

export interface SpaceParameter {
  name: string;
  domain: SpaceDomain;
  /** What an expert gets that does not say. */
  fallback: Parameter;
  origin: Span;
}

export interface SpaceProfile {
  /** What the radius is called. */
  variable: string;
  body: Expression;
  origin: Span;
}

export interface SpaceDefinition {
  name: string;
  parameters: SpaceParameter[];
  lift: SpaceProfile;
  drop: SpaceProfile;
  /** The name where it is declared. */
  origin: Span;
}

/** Most parameters of one space: a kernel reads them as one vector. */
export const MOST_PARAMETERS = 4;
