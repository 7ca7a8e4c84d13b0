// The lint rule that keeps bounds together: a number that bounds time, size or count stands in
// src/base/limits/ with its reason, where its neighbours show what it has to go with.

import { projectPath } from "./paths.ts";

/** How the names of bounds end. */
const BOUND = /_(?:MS|MAX|MIN|LEAST|MOST|AT_ONCE)$/;

/** Names that end so and bound nothing: what a format, a protocol or the runtime has it. */
const FORMATS: ReadonlySet<string> = new Set([
  "FILE_BYTES_MAX",
  "FILE_CHUNKS_MAX",
  "PERMILLE_MAX",
  "PORT_MAX",
  "TIMER_MS_MAX",
  "U16_MAX",
]);

/** Where bounds may stand. */
const LIMITS_FOLDER = "src/base/limits/";

/** Folders whose bounds still wait to be moved. */
export const PENDING_FOLDERS: readonly string[] = [];

/** Refuses a numeric constant of a file that is named as a bound. */
export function boundsInLimits(
  pendingFolders: readonly string[] = PENDING_FOLDERS,
): Deno.lint.Rule {
  return {
    create(context) {
      const path = projectPath(context.filename);
      const isElsewhere = !path.startsWith("src/") || path.startsWith(LIMITS_FOLDER);
      if (isElsewhere || pendingFolders.some((folder) => path.startsWith(folder))) return {};
      return {
        Program({ body }) {
          for (const { name, init, node } of body.flatMap(constantsOf)) {
            if (!BOUND.test(name) || FORMATS.has(name) || !isNumeric(init)) continue;
            const hint = "Move it to src/base/limits/, with its reason, and use it as limits.name";
            context.report({ node, message: `${name} bounds something`, hint });
          }
        },
      };
    },
  };
}

interface Constant {
  readonly name: string;
  readonly init: Deno.lint.Node;
  readonly node: Deno.lint.Node;
}

function constantsOf(statement: Deno.lint.Node): Constant[] {
  const inner = statement.type === "ExportNamedDeclaration" ? statement.declaration : statement;
  if (inner?.type !== "VariableDeclaration" || inner.kind !== "const") return [];
  return inner.declarations.flatMap((node) =>
    node.id.type === "Identifier" && node.init !== null
      ? [{ name: node.id.name, init: node.init, node }]
      : []
  );
}

/** Whether an expression is made of numbers, other constants and properties alone. */
function isNumeric(node: Deno.lint.Node): boolean {
  switch (node.type) {
    case "Literal":
      return typeof node.value === "number";
    case "UnaryExpression":
      return isNumeric(node.argument);
    case "BinaryExpression":
      return isNumeric(node.left) && isNumeric(node.right);
    case "Identifier":
    case "MemberExpression":
      return true;
    default:
      return false;
  }
}
