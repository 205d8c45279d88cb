/**
 * `import { WebModel } from 'mos/web'`: trains and uses plans in a page or a worker, from files that a person picked. No
 * compiler and no file system; the same steps as `mos train`.
 */

export type { Message } from './model/chat.ts';
export { Fault as MosError } from './report/fault.ts';
export type { AnswerOptions, Prompt } from './run/language-model.ts';
export type { StepEvent } from './run/listener.ts';
export { type Folder, folderWith } from './web/files.ts';
export { type OpenOptions, TRAINED, type Trained, type TrainOptions, WebModel } from './web/model.ts';
export { meanRoutes, type SiteRoutes } from './web/routes.ts';
