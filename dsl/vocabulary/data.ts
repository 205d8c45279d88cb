/** `data "a.jsonl", "b.jsonl" < … >`: what is trained on. */
import { z } from 'zod';
import { count, type Fields, field, fraction, word } from './shape.ts';

export const formatField = field(
  'How a line of the file becomes a prompt and a response.',
  word({
    auto: 'decided by the keys of the first line',
    alpaca: 'instruction, input, output',
    messages: 'a list of chat messages with role and content',
    completion: 'prompt and completion',
  }),
  'auto',
);

export const dataFields = {
  format: formatField,
  length: field('Longest sample in tokens; longer ones are truncated and counted.', count(2, 1_048_576), 512),
  validation: field(
    'Share of the samples held out to measure validation loss.',
    fraction('a fraction from 0 up to, but not including, 1', z.number().min(0).lt(1)),
    0.05,
    '5%',
  ),
  loss: field(
    'Where the loss acts.',
    word({ response: 'on the response only', all: 'on prompt and response' }),
    'response',
  ),
} satisfies Fields;
