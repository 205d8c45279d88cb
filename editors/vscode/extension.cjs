/**
 * Starts the language server and hands it every `.mos` document. The server is the program itself, `mos lsp`: from the
 * setting `mos.command`, else from a checkout of mos that is the open folder, else from the path.
 */
const { existsSync } = require('node:fs');
const { join } = require('node:path');
const { workspace } = require('vscode');
const { LanguageClient, TransportKind } = require('vscode-languageclient/node');

let client;

function command() {
  const given = workspace.getConfiguration('mos').get('command');
  if (Array.isArray(given) && given.length > 0) return given;
  const folder = workspace.workspaceFolders?.[0]?.uri.fsPath;
  const main = folder && join(folder, 'src', 'cli', 'main.ts');
  return main && workspace.isTrusted && existsSync(main) ? ['bun', main] : ['mos'];
}

exports.activate = async () => {
  const [program, ...args] = command();
  client = new LanguageClient(
    'mos',
    'mos',
    { command: program, args: [...args, 'lsp'], transport: TransportKind.stdio },
    {
      documentSelector: [{ language: 'mos' }],
      synchronize: { fileEvents: workspace.createFileSystemWatcher('**/{*.mos,config.json}') },
    },
  );
  await client.start();
};

exports.deactivate = () => client?.stop();
