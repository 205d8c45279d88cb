/**
 * The language server: answers an editor from the language's own functions and owns no rule of the language. Every
 * answer is made from an `Analysis`, kept until a document changes.
 */
import {
  CodeActionKind,
  type Connection,
  type InitializeResult,
  ResponseError,
  TextDocumentSyncKind,
  TextDocuments,
} from 'vscode-languageserver';
import { TextDocument } from 'vscode-languageserver-textdocument';
import { format } from '../../dsl/index.ts';
import { Source } from '../../dsl/source.ts';
import { countModules, describeModules } from '../docs/modules.ts';
import { type Analysis, analyse } from './analysis.ts';
import { colours, LEGEND } from './colours.ts';
import { complete } from './completion.ts';
import { actions, diagnostics } from './diagnostics.ts';
import { type Host, pathOf, uriOf } from './host.ts';
import { hover } from './hover.ts';
import { definition, nameAt, references, refuseName } from './names.ts';
import { outline } from './outline.ts';
import { offsetOf, positionOf, rangeOf } from './places.ts';

const CAPABILITIES: InitializeResult['capabilities'] = {
  textDocumentSync: { openClose: true, change: TextDocumentSyncKind.Incremental },
  completionProvider: { triggerCharacters: ['$', ':', '(', ',', '=', '<'] },
  hoverProvider: true,
  documentFormattingProvider: true,
  definitionProvider: true,
  referencesProvider: true,
  renameProvider: { prepareProvider: true },
  documentSymbolProvider: true,
  codeActionProvider: { codeActionKinds: [CodeActionKind.QuickFix, CodeActionKind.SourceFixAll] },
  inlayHintProvider: true,
  semanticTokensProvider: { legend: LEGEND, full: true },
};

/** Typing pauses at least this long before a text is read again. */
const PAUSE_MS = 60;

export function serve(connection: Connection, disk: Host): void {
  const documents = new TextDocuments(TextDocument);
  const analyses = new Map<string, Analysis>();
  let folders: string[] = [];
  let pending: ReturnType<typeof setTimeout> | undefined;

  /** What is open in the editor is newer than what is on disk. */
  const host: Host = {
    modelShape: folder => disk.modelShape(folder),
    programs: folder => disk.programs(folder),
    readFile: path => documents.get(uriOf(path))?.getText() ?? disk.readFile(path),
  };

  const analysisOf = (uri: string): Analysis | undefined => {
    const document = documents.get(uri);
    if (!document) return undefined;
    const known = analyses.get(uri);
    if (known?.source.text === document.getText()) return known;
    const analysis = analyse(pathOf(uri), document.getText(), host);
    analyses.set(uri, analysis);
    return analysis;
  };

  /** All of them: a file may use another that changed. */
  const publish = () => {
    pending = undefined;
    analyses.clear();
    for (const { uri, version } of documents.all()) {
      const analysis = analysisOf(uri);
      if (analysis)
        void connection.sendDiagnostics({ uri, version, diagnostics: diagnostics(analysis, host) });
    }
  };
  const soon = () => {
    clearTimeout(pending);
    pending = setTimeout(publish, PAUSE_MS);
  };

  connection.onInitialize(({ workspaceFolders }) => {
    folders = (workspaceFolders ?? []).map(({ uri }) => pathOf(uri));
    return { capabilities: CAPABILITIES, serverInfo: { name: 'mos' } };
  });
  documents.onDidChangeContent(soon);
  connection.onDidChangeWatchedFiles(soon);
  documents.onDidClose(({ document }) => {
    analyses.delete(document.uri);
    void connection.sendDiagnostics({ uri: document.uri, diagnostics: [] });
  });

  connection.onCompletion(({ textDocument, position }) => {
    const analysis = analysisOf(textDocument.uri);
    return analysis ? complete(analysis, offsetOf(analysis.source, position), host) : [];
  });

  connection.onHover(({ textDocument, position }) => {
    const analysis = analysisOf(textDocument.uri);
    const found = analysis && hover(analysis, offsetOf(analysis.source, position), host);
    return found
      ? { contents: { kind: 'markdown', value: found.markdown }, range: rangeOf(analysis.source, found) }
      : null;
  });

  connection.onDocumentFormatting(({ textDocument }) => {
    const analysis = analysisOf(textDocument.uri);
    if (!analysis) return [];
    const { source } = analysis;
    const { text } = format(analysis.path, source.text);
    if (text === undefined || text === source.text) return [];
    return [{ range: rangeOf(source, { start: 0, end: source.text.length }), newText: text }];
  });

  connection.onCodeAction(({ textDocument, range }) => {
    const analysis = analysisOf(textDocument.uri);
    return analysis ? actions(analysis, range, host) : [];
  });

  connection.onDocumentSymbol(({ textDocument }) => {
    const analysis = analysisOf(textDocument.uri);
    return analysis ? outline(analysis) : [];
  });

  connection.languages.semanticTokens.on(({ textDocument }) => {
    const analysis = analysisOf(textDocument.uri);
    return analysis ? colours(analysis) : { data: [] };
  });

  connection.languages.inlayHint.on(({ textDocument, range }) => {
    const analysis = analysisOf(textDocument.uri);
    return (analysis?.matched ?? [])
      .map(({ origin, modules }) => ({
        position: positionOf(analysis!.source, origin.end),
        label: countModules(modules.length),
        paddingLeft: true,
        tooltip: describeModules(modules).slice(1).join('\n').trim(),
      }))
      .filter(({ position }) => range.start.line <= position.line && position.line <= range.end.line);
  });

  const at = (uri: string, position: { line: number; character: number }) => {
    const analysis = analysisOf(uri);
    const named = analysis && nameAt(analysis, offsetOf(analysis.source, position));
    return analysis && named ? { analysis, named } : undefined;
  };
  const sourceOf = (path: string): Source => new Source(path, host.readFile(path) ?? '');
  const locate = (span: { file: string; start: number; end: number }) => ({
    uri: uriOf(span.file),
    range: rangeOf(sourceOf(span.file), span),
  });
  const others = () => [...documents.keys().map(pathOf), ...folders.flatMap(folder => host.programs(folder))];

  connection.onDefinition(({ textDocument, position }) => {
    const found = at(textDocument.uri, position);
    const span = found && definition(found.analysis, found.named, host);
    return span ? locate(span) : null;
  });

  connection.onReferences(({ textDocument, position, context }) => {
    const found = at(textDocument.uri, position);
    if (!found) return [];
    const all = references(found.analysis, found.named, host, others());
    return all
      .filter(({ declares }) => context.includeDeclaration || !declares)
      .map(({ span }) => locate(span));
  });

  connection.onPrepareRename(({ textDocument, position }) => {
    const found = at(textDocument.uri, position);
    if (!found || !definition(found.analysis, found.named, host)) return null;
    return { range: rangeOf(found.analysis.source, found.named.span), placeholder: found.named.name };
  });

  connection.onRenameRequest(({ textDocument, position, newName }) => {
    const found = at(textDocument.uri, position);
    if (!found || !definition(found.analysis, found.named, host)) return null;
    const next = newName.replace(/^\$/, '');
    const refused = refuseName(found.analysis, found.named, next, host);
    // -32803 is `RequestFailed`: shown to the user, no bug.
    if (refused) throw new ResponseError(-32803, refused);
    const changes: Record<string, { range: ReturnType<typeof rangeOf>; newText: string }[]> = {};
    for (const { span } of references(found.analysis, found.named, host, others())) {
      const { uri, range } = locate(span);
      changes[uri] ??= [];
      changes[uri].push({ range, newText: next });
    }
    return { changes };
  });

  documents.listen(connection);
  connection.listen();
}
