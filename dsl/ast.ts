/** The syntax tree: what the text says, before any name is looked up. Every node has a span; broken parts are absent or `broken`. */
import type { Span } from './program.ts';
import type { Quantity } from './units.ts';

export interface Name {
  text: string;
  span: Span;
}

export type ValueNode = { span: Span; times?: { count: number; span: Span } } & (
  | { kind: 'number'; quantity: Quantity }
  | { kind: 'range'; first: Quantity; last: Quantity }
  | { kind: 'string'; text: string }
  | { kind: 'flag'; value: boolean }
  | { kind: 'constant'; name: string }
  | { kind: 'list'; items: ValueNode[] }
  | { kind: 'call'; word: Name; parenthesised: boolean; args: ArgumentNode[] }
  /** Already reported. */
  | { kind: 'broken' }
);

export interface ArgumentNode {
  /** Absent for a positional one. */
  name?: Name;
  value: ValueNode;
  span: Span;
}

export interface FieldNode {
  name: Name;
  values: ValueNode[];
  /** Its text is broken and that is reported; what it means is not worth asking. */
  damaged: boolean;
  span: Span;
}

export interface Target {
  kind: 'word' | 'string';
  text: string;
  span: Span;
}

export interface BlockNode {
  kind: 'block';
  keyword: Name;
  label?: Name;
  targets: Target[];
  on?: { span: Span; paths: Name[] };
  layers?: { span: Span; ranges: { first: Quantity; last: Quantity; span: Span }[] };
  fields: FieldNode[];
  /** Keyword to end of header. */
  header: Span;
  /** The header's text is broken and that is reported. */
  damaged: boolean;
  span: Span;
}

export interface UseNode {
  kind: 'use';
  path?: Name;
  span: Span;
}

export interface LetNode {
  kind: 'let';
  name?: Name;
  value?: ValueNode;
  span: Span;
}

export interface SpaceNode {
  kind: 'space';
  name?: Name;
  keyword: Span;
  params: SpaceParamNode[];
  profiles: ProfileNode[];
  /** Its text is broken and that is reported. */
  damaged: boolean;
  span: Span;
}

/** `c: positive = learn` */
export interface SpaceParamNode {
  name: Name;
  domain?: Name;
  value?: ValueNode;
  span: Span;
}

/** `lift(r) = expression` */
export interface ProfileNode {
  name: Name;
  variable: Name;
  body: ExpressionNode;
  span: Span;
}

export type ExpressionNode = { span: Span } & (
  | { kind: 'number'; value: number }
  | { kind: 'name'; name: string }
  | { kind: 'negate'; operand: ExpressionNode }
  | { kind: 'binary'; operator: '+' | '-' | '*' | '/' | '^'; left: ExpressionNode; right: ExpressionNode }
  | { kind: 'call'; name: Name; args: ExpressionNode[] }
);

/** Text between blocks that belongs to none; reported. */
export interface StrayNode {
  kind: 'stray';
  span: Span;
}

export type Statement = UseNode | LetNode | SpaceNode | BlockNode | StrayNode;

export interface FileNode {
  statements: Statement[];
  comments: Name[];
}
