// Stands in for @std/assert where only npm can be reached: the same code as published on npm, with
// the types of what this project uses (see assert.d.ts). Nothing of its own.

// @ts-types="./assert.d.ts"
export * from "npm:deno-std@1.4.0/assert/mod.js";
