// Types for the plain JavaScript behind path.ts: signatures equal to those of @std/path, for the
// functions that this project uses and no others.

/** The parts that `parse` makes of a path and that `format` puts together. */
export interface ParsedPath {
  root: string;
  dir: string;
  base: string;
  ext: string;
  name: string;
}

export const DELIMITER: ":" | ";";
export const SEPARATOR: "/" | "\\";
export const SEPARATOR_PATTERN: RegExp;

export function basename(path: string | URL, suffix?: string): string;
export function dirname(path: string | URL): string;
export function extname(path: string | URL): string;
export function isAbsolute(path: string): boolean;
export function join(path: string | URL, ...paths: string[]): string;
export function normalize(path: string | URL): string;
export function parse(path: string): ParsedPath;
export function format(pathObject: Partial<ParsedPath>): string;
export function relative(from: string, to: string): string;
export function resolve(...pathSegments: string[]): string;
export function fromFileUrl(url: string | URL): string;
export function toFileUrl(path: string): URL;
