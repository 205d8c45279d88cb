/** The page: files are opened into a `WebModel`, which is trained, asked, and shown at work. */
import { type Folder, MosError, type SiteRoutes, TRAINED, WebModel } from 'mos/web';
import { droppedBy, pickedBy } from './files.ts';
import { drawLegend, drawLosses, drawTokens, spacesOf } from './views.ts';

const get = <T extends Element = HTMLElement>(id: string): T => document.querySelector<T>(`#${id}`)!;
const INPUTS = ['plan', 'model', 'data', 'adapter'] as const;
type InputName = (typeof INPUTS)[number];

const BASE = 'off: the base model';
const LONGEST_ANSWER = 64;

const picked = new Map<InputName, Folder>();
let model: WebModel | undefined;
let running: AbortController | undefined;
/** The adapter that was trained last. */
let trained: Blob | undefined;
/** What the last answer was made of, to be coloured again for another module. */
let shown: { into: HTMLElement; tokens: string[]; sites: SiteRoutes[] } | undefined;

for (const name of INPUTS) {
  const input = get<HTMLInputElement>(name);
  const place = input.closest<HTMLElement>('.pick')!;
  input.addEventListener('change', () => take(name, pickedBy(input)));
  place.addEventListener('dragover', event => {
    event.preventDefault();
    place.classList.add('over');
  });
  place.addEventListener('dragleave', () => place.classList.remove('over'));
  place.addEventListener('drop', async event => {
    event.preventDefault();
    place.classList.remove('over');
    if (event.dataTransfer) take(name, await droppedBy(event.dataTransfer));
  });
}

function take(name: InputName, files: Folder): void {
  picked.set(name, files);
  const [first = 'nothing'] = files.keys();
  const root = first.includes('/') ? first.slice(0, first.indexOf('/')) : first;
  const bytes = [...files.values()].reduce((sum, file) => sum + file.size, 0);
  get(name)
    .closest('.pick')!
    .querySelector(
      'output',
    )!.textContent = `${root}${files.size > 1 ? ` (${files.size} files)` : ''}, ${(bytes / 1e6).toFixed(1)} MB`;
  if (name === 'adapter' && model) void guarded(addAdapter);
  settle();
}

/** Which controls make sense now. */
function settle(): void {
  const enable = (id: string, on: boolean) => {
    get<HTMLButtonElement>(id).disabled = !on;
  };
  const idle = running === undefined;
  enable('open', idle && picked.has('plan') && picked.has('model'));
  enable('start', idle && model !== undefined && picked.has('data'));
  enable('stop', !idle);
  enable('save', idle && trained !== undefined);
  enable('send', idle && model !== undefined);
  get<HTMLFieldSetElement>('adapters').disabled = !idle || !model;
}

const say = (text: string): void => {
  get('status').textContent = text;
};

/** Runs one piece of work at a time, and shows what went wrong with it. */
async function guarded(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  if (running) return;
  running = new AbortController();
  get('error').hidden = true;
  settle();
  try {
    await work(running.signal);
  } catch (error) {
    get('error').textContent =
      error instanceof MosError
        ? error.diagnostics
            .map(d => [`${d.code}: ${d.message}`, ...(d.notes ?? []), d.help ?? ''].join('\n'))
            .join('\n')
        : String(error);
    get('error').hidden = false;
    say('That did not work.');
  } finally {
    running = undefined;
    settle();
  }
}

get('open').addEventListener('click', () =>
  guarded(async signal => {
    model?.close();
    model = undefined;
    model = await WebModel.open(picked.get('plan')!, picked.get('model')!, {
      signal,
      onPhase: phase => say(`${phase}…`),
    });
    const { name, training, sites } = model.plan;
    get<HTMLInputElement>('steps').value = String(training?.steps ?? 1);
    get<HTMLInputElement>('steps').max = String(training?.steps ?? 1);
    if (picked.has('adapter')) await addAdapter();
    listAdapters();
    say(`${name} is ready: ${sites.length} adapted modules.`);
  }),
);

async function addAdapter(): Promise<void> {
  const [file] = picked.get('adapter')!.values();
  await model!.add('file', file);
  await model!.use('file');
  listAdapters();
}

/** One choice for the base and one for each adapter. */
function listAdapters(): void {
  const names = model!.adapters.filter(name => name !== 'default');
  const [using] = model!.using;
  const choices = [undefined, ...names].map(name => {
    const label = document.createElement('label');
    const radio = document.createElement('input');
    Object.assign(radio, { type: 'radio', name: 'adapter', value: name ?? '', checked: name === using });
    radio.addEventListener('change', () =>
      guarded(() => (name === undefined ? model!.off() : model!.use(name))),
    );
    label.append(radio, ` ${name ?? BASE}`);
    return label;
  });
  get('adapters').replaceChildren(get('adapters').querySelector('legend')!, ...choices);
}

get('stop').addEventListener('click', () => running?.abort());

get('save').addEventListener('click', () => {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(trained!);
  link.download = 'adapter.safetensors';
  link.click();
  URL.revokeObjectURL(link.href);
});

get('train').addEventListener('submit', event => {
  event.preventDefault();
  void guarded(async signal => {
    const losses: number[] = [];
    const steps = get<HTMLInputElement>('steps').valueAsNumber;
    const progress = get<HTMLProgressElement>('progress');
    progress.max = steps;
    progress.value = 0;
    say('Training. The first step also compiles the kernels.');
    const {
      loss,
      steps: done,
      validation,
    } = await model!.train([...picked.get('data')!.values()], {
      steps,
      signal,
      onStep: e => {
        losses.push(e.loss);
        progress.value = e.step;
        drawLosses(get<SVGSVGElement>('plot'), losses, steps);
        get('step').textContent =
          `Step ${e.step} of ${steps}: loss ${e.loss.toFixed(4)}, gradient ${e.gradientNorm.toFixed(3)}, ${(e.tokens / e.seconds).toFixed(0)} tokens/s.`;
      },
    });
    trained = await model!.adapterFile();
    listAdapters();
    const held = validation === undefined ? '' : `, ${validation.toFixed(4)} on what was held out`;
    say(
      `Trained for ${done} ${done === 1 ? 'step' : 'steps'}: loss ${loss.toFixed(4)}${held}. It is in use as “${TRAINED}”.`,
    );
  });
});

function line(kind: string, text: string): HTMLElement {
  const item = document.createElement('li');
  item.className = kind;
  const content = document.createElement('span');
  content.textContent = text;
  item.append(content);
  get('log').append(item);
  return content;
}

get('chat').addEventListener('submit', event => {
  event.preventDefault();
  const prompt = get<HTMLInputElement>('prompt');
  const question = prompt.value;
  void guarded(async signal => {
    prompt.value = '';
    line('question', question);
    const content = line('answer', '');
    const note = document.createElement('small');
    note.textContent = model!.using.length > 0 ? `adapter ${model!.using.join(', ')}` : BASE;
    content.after(note);
    say('Answering…');
    const answer = await model!.generate(question, {
      maxTokens: Math.max(1, Math.min(LONGEST_ANSWER, model!.room(question))),
      signal,
      onText: piece => {
        content.textContent += piece;
      },
    });
    // With the adapter off nothing is routed.
    if (model!.using.length > 0) {
      const tokens = document.createElement('p');
      content.parentElement!.append(tokens);
      await showRoutes(tokens, question, answer);
    }
    say('Ready.');
  });
});

async function showRoutes(into: HTMLElement, question: string, answer: string): Promise<void> {
  const { tokens, sites } = await model!.routes([
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ]);
  if (sites.length === 0) return;
  shown = { into, tokens, sites };
  const select = get<HTMLSelectElement>('module');
  select.replaceChildren(new Option('all modules', ''), ...sites.map(s => new Option(s.module, s.module)));
  drawLegend(get('legend').querySelector('ul')!, spacesOf(sites));
  get('legend').hidden = false;
  drawTokens(into, tokens, sites, undefined);
}

get('module').addEventListener('change', () => {
  const module = get<HTMLSelectElement>('module').value;
  if (shown) drawTokens(shown.into, shown.tokens, shown.sites, module === '' ? undefined : module);
});
