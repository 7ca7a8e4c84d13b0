// The project's own lint rules: which layer may import which, named exports only, and where the
// console, the process's end and Deno's calls may be used. It reads names and paths of one file at
// a time; it does not follow values, so it is a guard against slips, not against intent.

/** Which folders of src/ a file of a folder of src/ may import, besides its own. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  cli: ["client", "daemon", "directory", "pacman", "http", "base"],
  daemon: ["core", "store", "gateway", "pacman", "http", "net", "wire", "base"],
  gateway: ["http", "net", "wire", "base"],
  pacman: ["base"],
  directory: ["core", "net", "wire", "base"],
  client: ["net", "wire", "base"],
  http: ["net", "wire", "base"],
  core: ["wire", "base"],
  net: ["wire", "base"],
  store: ["base"],
  wire: ["base"],
  base: [],
};

/** What main.ts may import. */
const MAIN_LAYERS: readonly string[] = ["cli"];

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

const ROOT_URL = new URL("..", import.meta.url);

/** The path of a file from the root of the project, with `/` between its parts. */
function projectPath(fileName: string): string {
  const path = fileName.replaceAll("\\", "/");
  const root = decodeURIComponent(ROOT_URL.pathname).replace(/^\/(?=[A-Za-z]:\/)/, "");
  return path.startsWith(root) ? path.slice(root.length) : path.replace(/^\.\//, "");
}

/** The layer of a path from the root of the project; undefined outside of src/. */
function layerOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1];
}

/** Where a relative import leads, from the root of the project; undefined for any other import. */
function resolveImport(from: string, specifier: string): string | undefined {
  if (!/^\.\.?\//.test(specifier)) return undefined;
  const parts = from.split("/").slice(0, -1);
  for (const part of specifier.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== ".") parts.push(part);
  }
  return parts.join("/");
}

/** Why a file must not import another; undefined if it may. */
function layerFault(from: string, specifier: string): string | undefined {
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

/** Calls `check` with each module that a file names, whatever the form. */
function onImports(
  check: (specifier: string, node: Deno.lint.Node) => void,
): Deno.lint.LintVisitor {
  return {
    ImportDeclaration: (node) => check(node.source.value, node),
    ExportAllDeclaration: (node) => check(node.source.value, node),
    ExportNamedDeclaration(node) {
      if (node.source) check(node.source.value, node);
    },
    ImportExpression(node) {
      if (node.source.type === "Literal" && typeof node.source.value === "string") {
        check(node.source.value, node);
      }
    },
    TSImportType(node) {
      const { argument } = node;
      if (argument.type === "TSLiteralType" && argument.literal.type === "Literal") {
        check(String(argument.literal.value), node);
      }
    },
  };
}

/** `name.property` of a member expression, when both are plain names. */
function dottedName(node: Deno.lint.MemberExpression): string | undefined {
  if (node.object.type !== "Identifier") return undefined;
  if (node.property.type === "Identifier" && !node.computed) {
    return `${node.object.name}.${node.property.name}`;
  }
  if (node.property.type === "Literal") return `${node.object.name}.${node.property.value}`;
  return undefined;
}

const layers: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    return onImports((specifier, node) => {
      const message = layerFault(path, specifier);
      if (message === undefined) return;
      const hint =
        `The layers are drawn in src/ARCHITECTURE.md; pass the value in, or move the code`;
      context.report({ node, message, hint });
    });
  },
};

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
    "layers": layers,
    "named-exports": namedExports,
    "no-console": noConsole,
    "no-exit": noExit,
    "pure-core": pureCore,
    "pure-layers": pureLayers,
  },
} satisfies Deno.lint.Plugin;
