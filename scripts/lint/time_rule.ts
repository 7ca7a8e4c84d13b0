// The lint rule that keeps time an argument: what a layer that owns state stamps or awaits goes
// through the clock that it was given, so that a test can let an hour pass at once.

import { dottedName } from "./dotted_name.ts";
import { projectPath } from "./paths.ts";

/** Where time comes in through a clock; src/core takes it as a number (`pure-core`). */
const TIMED_FOLDERS: readonly string[] = [
  "src/daemon/",
  "src/directory/",
  "src/gateway/",
  "src/http/",
];

const CLOCKS: readonly string[] = ["Date.now", "performance.now"];
const TIMERS: readonly string[] = ["setTimeout", "setInterval"];

/** Refuses what reads the system's time, or sets a timer of the runtime. */
export const timeIsAnArgument: Deno.lint.Rule = {
  create(context) {
    const path = projectPath(context.filename);
    if (!TIMED_FOLDERS.some((folder) => path.startsWith(folder))) return {};
    const report = (node: Deno.lint.Node, name: string) => {
      const hint = "Take `now` or a clock (src/base/clock.ts) as an argument";
      context.report({ node, message: `${name} where time is an argument`, hint });
    };
    return {
      MemberExpression(node) {
        const name = dottedName(node);
        if (name !== undefined && CLOCKS.includes(name)) report(node, name);
      },
      CallExpression(node) {
        if (node.callee.type !== "Identifier") return;
        if (TIMERS.includes(node.callee.name)) report(node, node.callee.name);
      },
      NewExpression(node) {
        if (node.callee.type !== "Identifier" || node.callee.name !== "Date") return;
        if (node.arguments.length === 0) report(node, "new Date()");
      },
    };
  },
};
