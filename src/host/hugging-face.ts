/** Where Hugging Face's tools keep models and tokens on this machine, by the same environment variables. */
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

type Environment = Readonly<Record<string, string | undefined>>;

const expand = (path: string): string => path.replace(/^~(?=[/\\]|$)/, homedir());

function home(env: Environment): string {
  return expand(env.HF_HOME || join(env.XDG_CACHE_HOME || '~/.cache', 'huggingface'));
}

/** The folder of cached repositories: HF_HUB_CACHE, HF_HOME/hub, XDG_CACHE_HOME/huggingface/hub or ~/.cache/…. */
export function hubCache(env: Environment = process.env): string {
  return expand(env.HF_HUB_CACHE || env.HUGGINGFACE_HUB_CACHE || join(home(env), 'hub'));
}

/** Without a slash at its end. */
export function hubEndpoint(env: Environment = process.env): string {
  return (env.HF_ENDPOINT || 'https://huggingface.co').replace(/\/+$/, '');
}

/** HF_TOKEN, or what is in the file that logging in writes; undefined when there is neither. */
export function hubToken(env: Environment = process.env): string | undefined {
  const path = expand(env.HF_TOKEN_PATH || join(home(env), 'token'));
  const token = env.HF_TOKEN || (existsSync(path) ? readFileSync(path, 'utf8') : '');
  return token.trim() || undefined;
}
