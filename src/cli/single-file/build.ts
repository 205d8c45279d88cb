/**
 * `bun run binary [OUT]`: the program as one file that needs nothing on the machine, for the platform it is built on. Beside
 * the code it holds Dawn's library and the archive of the software GPU, which modules find by paths that do not exist there.
 */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../../..');
const out = process.argv[2] ?? join(root, 'dist/mos');
const packages = join(root, 'node_modules');
const archive = join(packages, '@sparticuz/chromium/bin/swiftshader.tar.br');
const arch = process.platform === 'darwin' ? 'universal' : process.arch;
const dawn = join(packages, 'webgpu/dist', `${process.platform}-${arch}`, 'dawn.node');

const quoted = (path: string) => JSON.stringify(path);
const from = (path: string) => quoted(join(root, 'src', path));
const withArchive = process.platform === 'linux' && process.arch === 'x64' && existsSync(archive);

const entry = `
import { AS_WORKER, provideArchive } from ${from('host/single-file.ts')};
${withArchive ? `import archive from ${quoted(archive)} with { type: 'file' };\nprovideArchive(archive);` : ''}
if (process.argv[2] === AS_WORKER) await import(${from('cli/worker.ts')});
else {
  const { main } = await import(${from('cli/main.ts')});
  process.exitCode = await main(process.argv.slice(2));
}
`;

const { success, logs } = await Bun.build({
  entrypoints: ['mos:entry'],
  compile: { outfile: out },
  minify: { whitespace: true, syntax: true },
  plugins: [
    {
      name: 'one file',
      setup(build) {
        build.onResolve({ filter: /^mos:entry$/ }, () => ({ path: 'entry.ts', namespace: 'mos' }));
        build.onLoad({ filter: /./, namespace: 'mos' }, () => ({ contents: entry, loader: 'ts' }));
        // Bun takes a library in when its own `require` has it by a plain name.
        build.onLoad({ filter: /webgpu[\\/]index\.js$/ }, async ({ path }) => ({
          contents: (await Bun.file(path).text())
            .replace('const require = createRequire(import.meta.url);', '')
            .replace('require(dawnNodePath)', `require(${quoted(dawn)})`),
          loader: 'js',
        }));
      },
    },
  ],
});
for (const log of logs) console.error(String(log));
if (success) console.log(out);
else process.exitCode = 1;
