/** `eval name: on "file" < … >`: what is measured after training. */
import { formatField } from './data.ts';
import { count, type Fields, field, optional, word } from './shape.ts';

export const evalFields = {
  metric: field(
    'What is measured.',
    word({ exact: 'share of answers equal to the reference, after trimming' }),
    'exact',
  ),
  max_tokens: field('Longest answer, in tokens.', count(1, 1_048_576), 32),
  batch: field('Sequences generated together.', count(1, 65_536), 8),
  limit: optional('Only the first so many items.', count(1), 'all of them'),
  format: formatField,
} satisfies Fields;
