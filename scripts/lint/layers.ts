// The tables of the structure of src/, and what breaks them: which layer imports which, which
// folder of a layer stands above which, how many files a folder holds. src/ARCHITECTURE.md says
// what each layer is. The rules that report the faults are in structure_rules.ts.

import { folderOf, layerOf, resolveImport } from "./paths.ts";

/** Which folders of src/ a file of a folder of src/ may import, besides its own. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  cli: ["client", "metrics", "daemon", "directory", "pacman", "http", "base"],
  metrics: ["daemon", "directory", "net", "wire", "base"],
  daemon: ["core", "store", "gateway", "pacman", "http", "net", "wire", "base"],
  gateway: ["http", "net", "wire", "base"],
  pacman: ["base"],
  directory: ["core", "net", "wire", "base"],
  client: ["http", "net", "wire", "base"],
  http: ["net", "wire", "base"],
  core: ["wire", "base"],
  net: ["wire", "base"],
  store: ["base"],
  wire: ["base"],
  base: [],
};

/** What main.ts may import. */
const MAIN_LAYERS: readonly string[] = ["cli"];

/** The floors of each layer that has folders of its own, from the bottom; a floor is folders. */
export type Floors = Readonly<Record<string, readonly (readonly string[])[]>>;

/**
 * The folders of the layers. A folder imports itself and what stands on lower floors; so folders of
 * one floor do not import each other. The files of the layer itself stand above all its folders,
 * unless `.` gives them a floor. A layer without an entry has no order inside.
 */
export const FLOORS: Floors = {
  cli: [["arguments", "terminal"], ["log"], ["settings"], ["fetch"], ["commands"], ["doctor"], [
    "overview",
  ], ["table"]],
  core: [
    ["nearness"],
    ["overlay", "lan", "download", "crowd", "directory", "keeping", "prefetch", "rates"],
    [
      "fetch",
    ],
  ],
  daemon: [
    ["trust", "lan", "rates"],
    ["discovery", "swarm"],
    ["upload", "directories"],
    ["push", "crowd", "keeping"],
    ["fetch"],
    ["node"],
    ["control", "prefetch"],
  ],
  store: [["files"], ["hashing"], ["catalogue"], ["downloads", "shares"]],
  gateway: [["server"], ["mirrors"], ["files", "databases"]],
};

/** How many source files a folder of src/ may hold, those of its folders not counted. */
export const FOLDER_FILES_MAX = 20;

/** The folders that may hold more, and why: each waits to be split into folders. */
export const CROWDED_FOLDERS: Readonly<Record<string, string>> = {};

/** The layers in which an import circle is let pass: those that had one when the rule came. */
export const CIRCULAR_LAYERS: readonly string[] = [];

/** Why a file must not import another; undefined if it may. */
export function layerFault(from: string, specifier: string): string | undefined {
  const target = resolveImport(from, specifier);
  const isMain = from === "main.ts";
  const layer = layerOf(from);
  if (target === undefined || (!isMain && layer === undefined)) return undefined;
  const who = isMain ? "main.ts" : `src/${layer}`;
  const targetLayer = layerOf(target);
  if (targetLayer === undefined) {
    return target.endsWith(".json") ? undefined : `${who} must not import ${target}`;
  }
  if (targetLayer === layer) return undefined;
  const allowed = isMain ? MAIN_LAYERS : LAYERS[layer ?? ""] ?? [];
  return allowed.includes(targetLayer) ? undefined : `${who} must not import src/${targetLayer}`;
}

/** Why a file must not import another of its own layer; undefined if it may. */
export function floorFault(
  from: string,
  specifier: string,
  floors: Floors = FLOORS,
): string | undefined {
  const target = resolveImport(from, specifier);
  const layer = layerOf(from);
  if (target === undefined || layer === undefined || layerOf(target) !== layer) return undefined;
  const order = floors[layer];
  const [folder, targetFolder] = [folderOf(from), folderOf(target)];
  if (order === undefined || folder === targetFolder) return undefined;
  const [floor, targetFloor] = [floorOf(folder, order), floorOf(targetFolder, order)];
  if (floor === undefined) return `src/${layer}/${folder} has no floor`;
  if (targetFloor === undefined) return `src/${layer}/${targetFolder} has no floor`;
  if (targetFloor < floor) return undefined;
  const who = folder === "." ? from : `src/${layer}/${folder}`;
  const what = targetFolder === "." ? target : `src/${layer}/${targetFolder}`;
  return `${who} must not import ${what}, which is not below it`;
}

function floorOf(folder: string, order: readonly (readonly string[])[]): number | undefined {
  const floor = order.findIndex((folders) => folders.includes(folder));
  if (floor >= 0) return floor;
  return folder === "." ? order.length : undefined;
}

/**
 * Why a folder of src/ holds too much; undefined if it does not.
 *
 * @param paths The files of src/, from the root of the project.
 */
export function folderFault(folder: string, paths: Iterable<string>): string | undefined {
  if (Object.hasOwn(CROWDED_FOLDERS, folder)) return undefined;
  let count = 0;
  for (const path of paths) {
    if (path.slice(0, path.lastIndexOf("/")) === folder) count++;
  }
  if (count <= FOLDER_FILES_MAX) return undefined;
  return `${folder} holds ${count} source files, more than ${FOLDER_FILES_MAX}`;
}
