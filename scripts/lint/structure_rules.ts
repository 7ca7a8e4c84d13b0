// The lint rules of the structure of src/, as layers.ts draws it: layers, the order of folders in a
// layer, import circles, and the size of folders.

import { type ImportGraph, sourceGraph } from "./import_graph.ts";
import { CIRCULAR_LAYERS, floorFault, folderFault, layerFault } from "./layers.ts";
import { onImports } from "./on_imports.ts";
import { layerOf, projectPath, resolveImport } from "./paths.ts";

/** Holds each import to the table of layers. */
export const layers: Deno.lint.Rule = importRule(
  layerFault,
  "The layers are drawn in src/ARCHITECTURE.md; pass the value in, or move the code",
);

/** Holds each import inside a layer to the table of its folders. */
export const folderOrder: Deno.lint.Rule = importRule(
  floorFault,
  "FLOORS in scripts/lint/layers.ts orders the folders; pass the value in, or move the code",
);

function importRule(
  faultOf: (from: string, specifier: string) => string | undefined,
  hint: string,
): Deno.lint.Rule {
  return {
    create(context) {
      const path = projectPath(context.filename);
      return onImports((specifier, node) => {
        const message = faultOf(path, specifier);
        if (message !== undefined) context.report({ node, message, hint });
      });
    },
  };
}

/**
 * Refuses an import that closes a circle, be it of types only: the files of a circle can be read,
 * tested and moved only together.
 *
 * @param readGraph The files of src/; that of the linted file may be older than what is linted.
 */
export function importCircles(
  readGraph: () => ImportGraph = sourceGraph,
  circularLayers: readonly string[] = CIRCULAR_LAYERS,
): Deno.lint.Rule {
  return {
    create(context) {
      const path = projectPath(context.filename);
      if (layerOf(path) === undefined) return {};
      return onImports((specifier, node) => {
        const target = resolveImport(path, specifier);
        const circle = target === undefined ? undefined : readGraph().circle(path, target);
        if (circle === undefined || isLetPass(circle, circularLayers)) return;
        const message = `Import circle: ${circle.join(" -> ")}`;
        const hint = "Move what both sides need into a file that neither imports back";
        context.report({ node, message, hint });
      });
    },
  };
}

function isLetPass(circle: readonly string[], circularLayers: readonly string[]): boolean {
  const found = new Set(circle.map(layerOf));
  const [layer] = found;
  return found.size === 1 && layer !== undefined && circularLayers.includes(layer);
}

/** Refuses a crowded folder, once: at its first file. */
export function folderSize(readGraph: () => ImportGraph = sourceGraph): Deno.lint.Rule {
  return {
    create(context) {
      const path = projectPath(context.filename);
      if (layerOf(path) === undefined) return {};
      return {
        Program(node) {
          const folder = path.slice(0, path.lastIndexOf("/"));
          const { paths } = readGraph();
          const first = paths.find((other) => other.slice(0, other.lastIndexOf("/")) === folder);
          const message = first === path ? folderFault(folder, paths) : undefined;
          if (message === undefined) return;
          context.report({ node, message, hint: "Split it into folders, each of one concern" });
        },
      };
    },
  };
}
