// Paths as the lint rules see them: from the root of the project, with `/` between the parts.

/** The root of the project. */
export const ROOT_URL = new URL("../..", import.meta.url);

/** The path of a file from the root of the project, from what the linter calls it. */
export function projectPath(fileName: string): string {
  const path = fileName.replaceAll("\\", "/");
  const root = decodeURIComponent(ROOT_URL.pathname).replace(/^\/(?=[A-Za-z]:\/)/, "");
  return path.startsWith(root) ? path.slice(root.length) : path.replace(/^\.\//, "");
}

/** The layer of a path from the root of the project; undefined outside of src/. */
export function layerOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** The folder inside its layer that a path of src/ lies in; `.` for a file of the layer itself. */
export function folderOf(path: string): string {
  return /^src\/[^/]+\/([^/]+)\//.exec(path)?.[1] ?? ".";
}

/** Where a relative import leads, from the root of the project; undefined for any other import. */
export function resolveImport(from: string, specifier: string): string | undefined {
  if (!/^\.\.?\//.test(specifier)) return undefined;
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}
