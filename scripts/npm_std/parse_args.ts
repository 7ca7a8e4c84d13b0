// Stands in for @std/cli/parse-args where only npm can be reached: the same code as published on
// npm, with the types of what this project uses (see parse_args.d.ts). Nothing of its own.

// @ts-types="./parse_args.d.ts"
export * from "npm:deno-std@1.4.0/cli/parse_args.js";
