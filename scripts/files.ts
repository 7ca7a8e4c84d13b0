// Prints what each file of src/ is for, folder by folder: the first sentence of its head.

import { walk } from "@std/fs";
import { rootPath } from "./std_source.ts";

const paths: string[] = [];
for await (const { path } of walk(rootPath("src"), { exts: [".ts"], includeDirs: false })) {
  paths.push(path.slice(rootPath("src").length - "src".length));
}
let folder = "";
for (const path of paths.sort()) {
  const slash = path.lastIndexOf("/");
  if (path.slice(0, slash) !== folder) console.log(`\n${folder = path.slice(0, slash)}/`);
  const purpose = firstSentence(await Deno.readTextFile(rootPath(path)));
  console.log(`  ${path.slice(slash + 1).padEnd(26)} ${purpose}`);
}

function firstSentence(text: string): string {
  const head = /^\/\*\*([^]*?)\*\//.exec(text)?.[1] ?? "";
  const words = head.replaceAll(/^ \* ?/gm, "").replaceAll(/\s+/g, " ").trim();
  return /^.*?[.:](?=\s|$)/.exec(words)?.[0] ?? words;
}
