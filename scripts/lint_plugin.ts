// The project's own lint rules: the structure of src/ (scripts/lint/), named exports only, and where
// the console, the process's end and Deno's calls may be used. It reads names and paths; it does not
// follow values, so it is a guard against slips, not against intent.

import { boundsInLimits } from "./lint/bounds_rule.ts";
import { dottedName } from "./lint/dotted_name.ts";
import { onImports } from "./lint/on_imports.ts";
import { layerOf, projectPath } from "./lint/paths.ts";
import { folderOrder, folderSize, importCircles, layers } from "./lint/structure_rules.ts";
import { timeIsAnArgument } from "./lint/time_rule.ts";

/** The layers that must not do input or output, so that they also run in the simulator. */
const PURE_LAYERS: readonly string[] = ["base", "wire", "core"];

/** The only modules of the runtime that a pure layer may import: they compute, and nothing else. */
const PURE_MODULES: readonly string[] = ["node:buffer", "node:crypto"];

/** What makes a step of the core depend on more than its arguments. */
const IMPURE_CALLS: readonly string[] = [
  "Date.now",
  "performance.now",
  "Math.random",
  "crypto.getRandomValues",
  "crypto.randomUUID",
];
const IMPURE_FUNCTIONS: readonly string[] = ["setTimeout", "setInterval", "queueMicrotask"];

const namedExports: Deno.lint.Rule = {
  create(context) {
    // The linter takes a plugin from the default export, and from nowhere else.
    if (projectPath(context.filename) === "scripts/lint_plugin.ts") return {};
    const report = (node: Deno.lint.Node) =>
      context.report({ node, message: "Default export", hint: "Export it under its name" });
    return {
      ExportDefaultDeclaration: report,
      TSExportAssignment: report,
      ExportSpecifier(node) {
        const { exported } = node;
        const name = exported.type === "Identifier" ? exported.name : exported.value;
        if (name === "default") report(node);
      },
    };
  },
};

const noConsole: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    const isBound = path === "main.ts" ||
      (path.startsWith("src/") && layerOf(path) !== "cli" && path !== "src/daemon/log_sink.ts");
    if (!isBound) return {};
    return {
      Identifier(node) {
        if (node.name !== "console") return;
        const hint = "Log through the logger; only src/cli and src/daemon/log_sink.ts print";
        context.report({ node, message: "console outside of src/cli", hint });
      },
    };
  },
};

const noExit: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (path === "main.ts" || path.startsWith("scripts/")) return {};
    return {
      MemberExpression(node) {
        if (dottedName(node) !== "Deno.exit") return;
        const hint = "Throw, or return an exit code: only main.ts ends the process";
        context.report({ node, message: "Deno.exit outside of main.ts", hint });
      },
    };
  },
};

const noWatchFs: Deno.lint.Rule = {
  create(context) {
    if (!projectPath(context.filename).startsWith("src/")) return {};
    return {
      MemberExpression(node) {
        if (dottedName(node) !== "Deno.watchFs") return;
        const hint = "It opens what is reported to it, and waits at pipes: look at times instead";
        context.report({ node, message: "Deno.watchFs", hint });
      },
    };
  },
};

const pureLayers: Deno.lint.Rule = {
  create(context) {
    const layer = layerOf(projectPath(context.filename));
    if (layer === undefined || !PURE_LAYERS.includes(layer)) return {};
    const hint = "It also runs in the simulator: take what comes from outside as an argument";
    return {
      ...onImports((specifier, node) => {
        if (!specifier.startsWith("node:") || PURE_MODULES.includes(specifier)) return;
        context.report({ node, message: `${specifier} in src/${layer}`, hint });
      }),
      Identifier(node) {
        if (node.name !== "Deno") return;
        context.report({ node, message: `The Deno namespace in src/${layer}`, hint });
      },
    };
  },
};

const pureCore: Deno.lint.Rule = {
  create(context) {
    if (layerOf(projectPath(context.filename)) !== "core") return {};
    const report = (node: Deno.lint.Node, name: string) =>
      context.report({
        node,
        message: `${name} in src/core`,
        hint: "Time and randomness come in as arguments, so that a seed repeats every step",
      });
    return {
      MemberExpression(node) {
        const name = dottedName(node);
        if (name !== undefined && IMPURE_CALLS.includes(name)) report(node, name);
      },
      CallExpression(node) {
        if (node.callee.type !== "Identifier") return;
        if (IMPURE_FUNCTIONS.includes(node.callee.name)) report(node, node.callee.name);
      },
      NewExpression(node) {
        if (node.callee.type !== "Identifier" || node.callee.name !== "Date") return;
        if (node.arguments.length === 0) report(node, "new Date()");
      },
    };
  },
};

/** The rules by name; a line is excused by `deno-lint-ignore pacsrv/<name>`. */
export default {
  name: "pacsrv",
  rules: {
    "bounds-in-limits": boundsInLimits(),
    "folder-order": folderOrder,
    "folder-size": folderSize(),
    "import-circles": importCircles(),
    "layers": layers,
    "named-exports": namedExports,
    "no-console": noConsole,
    "no-exit": noExit,
    "no-watch-fs": noWatchFs,
    "pure-core": pureCore,
    "pure-layers": pureLayers,
    "time-is-an-argument": timeIsAnArgument,
  },
} satisfies Deno.lint.Plugin;
