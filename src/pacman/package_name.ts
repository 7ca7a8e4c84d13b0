/** The parts of a package's file name, as pacman makes it: NAME-VERSION-RELEASE-ARCH.pkg.tar.SUFFIX. */

const PACKAGE_FILE = /^(.+)-([^-]+-[^-]+)-([^-]+)\.pkg\.tar(?:\.[a-z0-9]+)?$/;

/** What a file is a version of. */
interface PackageName {
  /** The package, as pacman calls it. */
  readonly package: string;
  /** With its release: `1:2.0-3`. */
  readonly version: string;
  readonly architecture: string;
}

/** The parts of a package's file name; undefined for a file that is called otherwise. */
export function packageNameOf(fileName: string): PackageName | undefined {
  const match = PACKAGE_FILE.exec(fileName);
  if (match === null) return undefined;
  const [, name = "", version = "", architecture = ""] = match;
  return { package: name, version, architecture };
}
