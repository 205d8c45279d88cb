import { defineCommand } from '../command.ts';
import { EXIT } from '../supervise.ts';

export const lsp = defineCommand({
  name: 'lsp',
  summary: 'answer an editor, over standard input and output',
  usage: '[--stdio]',
  about:
    'The language server: diagnostics and corrections, completion, hover, formatting, names, colours. Editors start it; see editors/vscode.',
  examples: ['mos lsp'],
  options: { stdio: { type: 'boolean', about: 'the only way there is; given by some editors' } },
  async run() {
    const [{ createConnection, StreamMessageReader, StreamMessageWriter }, { serve }, { DiskHost }] =
      await Promise.all([
        import('vscode-languageserver/node'),
        import('../../language-server/server.ts'),
        import('../../language-server/host.ts'),
      ]);
    const connection = createConnection(
      new StreamMessageReader(process.stdin),
      new StreamMessageWriter(process.stdout),
    );
    serve(connection, new DiskHost());
    // The protocol's `exit` ends the process; so does an editor that goes away.
    await new Promise<void>(resolve => void process.stdin.once('end', resolve).once('close', resolve));
    return EXIT.ok;
  },
});
