/** Runs in the page, beside its own script: does what a person would do with it, and posts what there was to see. */

export interface Seen {
  losses: number[];
  /** Points of the loss plot. */
  points: number;
  choices: string[];
  answers: Record<'off' | 'file' | 'trained', string>;
  /** Spaces that tokens were coloured by. */
  spaces: string[];
  legend: string[];
  /** Status after a training that was stopped. */
  stopped: string;
  /** What was said about a data file that is none. */
  error: string;
}

interface PageElement {
  value: string;
  disabled: boolean;
  hidden: boolean;
  textContent: string;
  className: string;
  files: unknown;
  dataset: Record<string, string>;
  click(): void;
  requestSubmit(): void;
  dispatchEvent(event: unknown): void;
  getAttribute(name: string): string | null;
}

/** The few parts of a document that are needed; the DOM's types would not go with those of a server. */
declare const document: {
  querySelector(selector: string): PageElement | null;
  querySelectorAll(selector: string): Iterable<PageElement>;
};
declare const MutationObserver: new (
  seen: () => void,
) => { observe(target: PageElement, what: { childList: boolean }): void; disconnect(): void };
declare const DataTransfer: new () => { items: { add(file: File): void }; files: unknown };

const all = (selector: string) => [...document.querySelectorAll(selector)];
const one = (selector: string): PageElement => {
  const found = document.querySelector(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
};

async function until(what: string, holds: () => boolean): Promise<void> {
  while (!holds()) {
    if (!one('#error').hidden) throw new Error(`waiting until ${what}: ${one('#error').textContent}`);
    await new Promise(resolve => setTimeout(resolve, 5));
  }
}

async function fetchFile(path: string): Promise<File> {
  const bytes = await (await fetch(`/files/${path}`)).arrayBuffer();
  const file = new File([bytes], path.split('/').at(-1)!);
  // What a picker of folders sets.
  Object.defineProperty(file, 'webkitRelativePath', { value: path.includes('/') ? path : '' });
  return file;
}

function put(input: string, files: File[]): void {
  const transfer = new DataTransfer();
  for (const file of files) transfer.items.add(file);
  const element = one(input);
  element.files = transfer.files;
  // The list of an input makes plain files of them.
  Object.defineProperty(element, 'files', { value: files, configurable: true });
  element.dispatchEvent(new Event('change'));
}

const idle = () => one('#stop').disabled;

async function ask(question: string): Promise<string> {
  const before = all('#log .answer').length;
  one('#prompt').value = question;
  one('#chat').requestSubmit();
  await until('an answer begins', () => all('#log .answer').length > before);
  await until('it is complete', idle);
  return all('#log .answer > span').at(-1)!.textContent;
}

async function choose(name: string): Promise<void> {
  one(`#adapters input[value="${name}"]`).click();
  await until(`${name} is in use`, idle);
}

async function train(steps: number): Promise<void> {
  one('#steps').value = String(steps);
  one('#train').requestSubmit();
  await until('training begins', () => !idle());
}

async function drive(): Promise<Seen> {
  const names = (await (await fetch('/files')).json()) as Record<string, string[]>;
  for (const [input, paths] of Object.entries(names))
    put(`#${input}`, await Promise.all(paths.map(fetchFile)));
  await until('it can be opened', () => !one('#open').disabled);
  one('#open').click();
  await until('the plan is open', () => idle() && !one('#start').disabled);

  const losses: number[] = [];
  await train(5);
  let last = '';
  await until('training ends', () => {
    const text = one('#step').textContent;
    const loss = /loss (-?[\d.]+)/.exec(text)?.[1];
    if (text !== last && loss) losses.push(Number(loss));
    last = text;
    return idle();
  });
  const points = one('#plot polyline').getAttribute('points')!.split(' ').length;
  const choices = all('#adapters input').map(input => input.value);
  const question = await (await fetch('/question')).text();
  const trained = await ask(question);
  const spaces = [...new Set(all('#log .answer .token').map(token => token.dataset.space))];
  const legend = all('#legend .token').map(token => token.textContent);
  await choose('');
  const off = await ask(question);
  await choose('file');
  const file = await ask(question);

  const watch = new MutationObserver(() => one('#stop').click());
  watch.observe(one('#step'), { childList: true });
  await train(5);
  await until('it has stopped', idle);
  watch.disconnect();
  const stopped = one('#status').textContent;

  put('#data', [new File(['{"no": 1}\n'], 'wrong.jsonl')]);
  await train(1).catch(() => {});
  while (!idle()) await new Promise(resolve => setTimeout(resolve, 5));
  const error = one('#error').hidden ? '' : one('#error').textContent;
  return { losses, points, choices, answers: { off, file, trained }, spaces, legend, stopped, error };
}

void drive()
  .catch((error: unknown) => ({
    failed: error instanceof Error ? `${error.message}\n${error.stack}` : String(error),
  }))
  .then(seen => fetch('/done', { method: 'POST', body: JSON.stringify(seen) }));
