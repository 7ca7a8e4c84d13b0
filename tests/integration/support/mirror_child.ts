/**
 * Run as a program: a mirror in a process of its own, so that nothing but the line decides how fast it
 * gives. It is told what to do by lines of JSON on stdin and answers each with one on stdout; the
 * first line is its URL. It ends with its stdin.
 *
 *     mirror_child.ts ROOT
 */

import { Mirror, type MirrorRequest } from "./mirror.ts";
import type { FaultRule, MirrorFault } from "./mirror_faults.ts";

/** A rule as JSON has it: the path is the source of an expression. */
export interface PlainRule extends Omit<FaultRule, "path"> {
  readonly path?: string;
}

/** What a mirror is told. */
export type MirrorOrder =
  | { readonly kind: "requests" }
  | { readonly kind: "given"; readonly path: string }
  | { readonly kind: "forget" }
  | { readonly kind: "misbehave"; readonly fault: MirrorFault; readonly rule: PlainRule }
  | { readonly kind: "behave"; readonly fault: number }
  | { readonly kind: "die" }
  | { readonly kind: "come-back" };

/** A request that the mirror has had, without its headers. */
export type GivenAnswer = Omit<MirrorRequest, "headers">;

if (import.meta.main) {
  await using mirror = Mirror.start(Deno.args[0]!);
  const ends: (() => void)[] = [];
  say(mirror.url);
  let rest = "";
  for await (const text of Deno.stdin.readable.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    for (const line of lines) say(await carryOut(mirror, JSON.parse(line), ends));
  }
}

async function carryOut(
  mirror: Mirror,
  order: MirrorOrder,
  ends: (() => void)[],
): Promise<unknown> {
  switch (order.kind) {
    case "requests":
      return mirror.requests.map(({ headers: _, ...answer }): GivenAnswer => answer);
    case "given":
      return mirror.bytesOf(new RegExp(order.path));
    case "forget":
      return mirror.forget();
    case "misbehave": {
      const { path, ...rule } = order.rule;
      const where = path === undefined ? {} : { path: new RegExp(path) };
      return ends.push(mirror.misbehave(order.fault, { ...rule, ...where })) - 1;
    }
    case "behave":
      return ends[order.fault]!();
    case "die":
      return await mirror.die();
    case "come-back":
      return mirror.comeBack();
  }
}

function say(what: unknown): void {
  const bytes = new TextEncoder().encode(`${JSON.stringify(what ?? null)}\n`);
  for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
}
