// Stands in for @std/path where only npm can be reached: the same code as published on npm, with
// the types of what this project uses (see path.d.ts). Nothing of its own.

// @ts-types="./path.d.ts"
export * from "npm:deno-std@1.4.0/path/mod.js";
