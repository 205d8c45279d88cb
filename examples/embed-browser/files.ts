/** Folders and files that a person picks or drops. */
import type { Folder } from 'mos/web';

/** Of an input; a picked folder keeps the paths of its files. */
export function pickedBy(input: HTMLInputElement): Folder {
  return new Map([...(input.files ?? [])].map(file => [file.webkitRelativePath || file.name, file]));
}

/** Of a drop: files, and folders with all that is in them. */
export async function droppedBy(data: DataTransfer): Promise<Folder> {
  // The list of items is emptied once the event is over, so all entries are taken before anything is awaited.
  const entries = [...data.items].map(item => item.webkitGetAsEntry()).filter(entry => entry !== null);
  const files = new Map<string, Blob>();
  await Promise.all(entries.map(entry => gather(entry, files)));
  return files;
}

async function gather(entry: FileSystemEntry, into: Map<string, Blob>): Promise<void> {
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) =>
      (entry as FileSystemFileEntry).file(resolve, reject),
    );
    into.set(entry.fullPath.replace(/^\//, ''), file);
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives its entries in portions, and an empty one at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return;
    await Promise.all(some.map(one => gather(one, into)));
  }
}
