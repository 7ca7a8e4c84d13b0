// The task `deb`: makes a Debian package of what the task `stage` lays out. What only Debian wants is
// here and in scripts/packaging/debian. The tools of dpkg do what they are for: dpkg-shlibdeps finds the
// libraries, dpkg-gencontrol writes the control file, dpkg-deb builds. It needs neither debhelper nor
// root, and imports nothing that has to be downloaded.

import { createHash } from "node:crypto";
import { parseArgs } from "node:util";
import { constants, gzipSync } from "node:zlib";
import { dateOfBuild } from "./build_date.ts";
import { binaryName, compileTask } from "./compile.ts";
import { absolutePath, makeFolder } from "./install.ts";
import { stage } from "./stage.ts";
import { rootPath } from "./std_source.ts";

const HELP = `deno task deb [--out DIR] [--program FILE | --from-source]

Makes pacsrv_<version>_<architecture>.deb, for the architecture of this machine, in DIR (default:
dist). The program is FILE, or else the binary that deno task compile makes now. --from-source takes
the source and a copy of this deno instead, where the base binary of deno task compile is not to be had.

It needs Debian's package dpkg-dev. DEBFULLNAME and DEBEMAIL name the maintainer, SOURCE_DATE_EPOCH
the date; DPKG_DEB_COMPRESSOR_TYPE and DPKG_DEB_COMPRESSOR_LEVEL are those of dpkg-deb.

Exit codes: 0 done, 1 failed, 2 usage.`;

/** Of the package, where the version of the program is the same. */
const REVISION = 1;

const DEBIAN = "scripts/packaging/debian";
const DOC = "usr/share/doc/pacsrv";
/** Of a package with the source. */
const OWN_DENO = "usr/lib/pacsrv/deno";

/** Where Debian has what lies elsewhere in other distributions. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  "usr/share/zsh/site-functions": "usr/share/zsh/vendor-completions",
  [`${DOC}/pacman.conf.example`]: `${DOC}/examples/pacman.conf`,
};

/** What dpkg runs, in the order in which it may. */
const SCRIPTS: readonly string[] = ["postinst", "prerm", "postrm"];

/** Makes the package that `args` ask for with the given flags of deno, and gives the exit code. */
export async function debTask(args: string[], denoFlags: string[]): Promise<number> {
  let out: string;
  let program: string | undefined;
  let isSource: boolean;
  try {
    const { values } = parseArgs({
      args,
      options: {
        out: { type: "string" },
        program: { type: "string" },
        "from-source": { type: "boolean" },
        help: { type: "boolean" },
      },
    });
    if (values.help) {
      console.log(HELP);
      return 0;
    }
    isSource = values["from-source"] ?? false;
    if (isSource && values.program !== undefined) {
      throw new Error("Cannot make the package of --program FILE and --from-source: give one");
    }
    out = values.out === undefined ? rootPath("dist") : absolutePath(values.out);
    if (values.program !== undefined) program = absolutePath(values.program);
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
    return 2;
  }
  if (!isSource && program === undefined) {
    const target = Deno.build.target;
    const code = await compileTask(["--target", target], denoFlags);
    if (code !== 0) {
      console.error("Or have --from-source make the package with the source and a copy of deno.");
      return code;
    }
    program = rootPath(`dist/${binaryName(target)}`);
  }
  const work = await Deno.makeTempDir({ prefix: "pacsrv-deb-" });
  try {
    const root = `${work}/root`;
    const code = await stage(root, { program, denoFlags });
    if (code !== 0) return code;
    await makeDebian(root);
    await writeControl(work, root);
    await makeFolder(out);
    const flags = ["--root-owner-group", "--build"];
    console.log((await run("dpkg-deb", [...flags, root, out])).trimEnd());
    return 0;
  } catch (error) {
    console.error(`Cannot make the package: ${error instanceof Error ? error.message : error}`);
    return 1;
  } finally {
    await Deno.remove(work, { recursive: true });
  }
}

/** Makes what was laid out for all distributions a system of Debian. */
async function makeDebian(root: string): Promise<void> {
  for (const [from, to] of Object.entries(ELSEWHERE)) {
    await makeFolder(`${root}/${to.replace(/\/[^/]*$/, "")}`);
    await Deno.rename(`${root}/${from}`, `${root}/${to}`);
  }
  const man = `${root}/usr/share/man/man1`;
  for (const { name } of [...Deno.readDirSync(man)]) {
    await put(`${man}/${name}.gz`, gzip(await Deno.readFile(`${man}/${name}`)));
    await Deno.remove(`${man}/${name}`);
  }
  await put(`${root}/${DOC}/changelog.Debian.gz`, gzip(await changelog()));
  await put(`${root}/${DOC}/copyright`, await copyright());
  await put(`${root}/${DOC}/README.Debian`, await textOf("README.Debian"));
  const overrides = [await textOf("lintian-overrides")];
  if (await isFromSource(root)) overrides.push(await textOf("lintian-overrides.source"));
  await put(`${root}/usr/share/lintian/overrides/pacsrv`, overrides.join(""));
  // Few machines with Debian have the folders of pacman: those who do take the # away.
  const config = `${root}/etc/pacsrv.toml`;
  const text = await Deno.readTextFile(config);
  await put(config, text.replace(/^(share|sync-db) = /gm, "# $&"));
}

/** Writes the folder DEBIAN, from which dpkg-deb takes what dpkg reads. */
async function writeControl(work: string, root: string): Promise<void> {
  // As the tools want them: a folder debian beside, with the control file of a source package.
  const control = (await textOf("control")).replace("@MAINTAINER@", () => maintainer());
  await put(`${work}/debian/control`, control);
  await put(`${work}/debian/changelog`, await changelog());
  const program = `${root}/${await isFromSource(root) ? OWN_DENO : "usr/bin/pacsrv"}`;
  const substvars = "-Tsubstvars";
  await run("dpkg-shlibdeps", [substvars, "-e", program], work);
  const files = (await filesBelow(root)).sort();
  await Deno.mkdir(`${root}/DEBIAN`);
  await Deno.chmod(`${root}/DEBIAN`, 0o755);
  await run("dpkg-gencontrol", [substvars, "-ffiles", `-P${root}`], work);
  const sums = await Promise.all(
    files.map(async (path) =>
      `${createHash("md5").update(await Deno.readFile(`${root}/${path}`)).digest("hex")}  ${path}\n`
    ),
  );
  await put(`${root}/DEBIAN/md5sums`, sums.join(""));
  const settings = files.filter((path) => path.startsWith("etc/"));
  await put(`${root}/DEBIAN/conffiles`, settings.map((path) => `/${path}\n`).join(""));
  for (const name of SCRIPTS) {
    await put(`${root}/DEBIAN/${name}`, await textOf(name));
    await Deno.chmod(`${root}/DEBIAN/${name}`, 0o755);
  }
}

/** Whether the program is the source with a deno of its own. */
async function isFromSource(root: string): Promise<boolean> {
  return await Deno.stat(`${root}/${OWN_DENO}`).then(() => true, () => false);
}

/** The changelog of the package, which leads to that of the program. */
async function changelog(): Promise<string> {
  const { version } = JSON.parse(await Deno.readTextFile(rootPath("deno.json")));
  const date = dateOfBuild().toUTCString().replace("GMT", "+0000");
  return `pacsrv (${version}-${REVISION}) unstable; urgency=medium

  * See /${DOC}/CHANGELOG.md for what changed in the program.

 -- ${maintainer()}  ${date}
`;
}

/** Who makes the package, as Debian's own tools have it. */
function maintainer(): string {
  const name = Deno.env.get("DEBFULLNAME") || "the pacsrv authors";
  return `${name} <${Deno.env.get("DEBEMAIL") || "pacsrv@pacsrv.invalid"}>`;
}

/** The licence of the program in the format of Debian. */
async function copyright(): Promise<string> {
  const [, holder, terms] = /^.*\n\nCopyright \(c\) (.*)\n\n([^]*)$/.exec(
    await Deno.readTextFile(rootPath("LICENSE")),
  ) ?? [];
  if (holder === undefined || terms === undefined) throw new Error("LICENSE has another form");
  const lines = terms.trimEnd().split("\n").map((line) => ` ${line || "."}`);
  return (await textOf("copyright"))
    .replace("@COPYRIGHT@", () => holder)
    .replace("@LICENSE@", () => lines.join("\n"));
}

async function textOf(name: string): Promise<string> {
  return await Deno.readTextFile(rootPath(`${DEBIAN}/${name}`));
}

/** As small as it gets, and the same each time: without a name and a date. */
function gzip(content: string | Uint8Array): Uint8Array {
  return gzipSync(content, { level: constants.Z_BEST_COMPRESSION });
}

/** Writes a file for all users to read, with the folders on the way. */
async function put(path: string, content: string | Uint8Array): Promise<void> {
  await makeFolder(path.replace(/\/[^/]*$/, ""));
  await Deno.writeFile(
    path,
    typeof content === "string" ? new TextEncoder().encode(content) : content,
  );
  await Deno.chmod(path, 0o644);
}

/** The paths of all files below a folder, from there. */
async function filesBelow(folder: string, below = ""): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(`${folder}/${below}`)) {
    const path = `${below}${name}`;
    if (isDirectory) found.push(...await filesBelow(folder, `${path}/`));
    else found.push(path);
  }
  return found;
}

/** Runs a tool; gives what it printed. */
async function run(command: string, args: readonly string[], cwd = "."): Promise<string> {
  const process = new Deno.Command(command, { args: [...args], cwd, stdin: "null" });
  const { code, stdout, stderr } = await process.output().catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new Error(`${command} is not here; it is in Debian's package dpkg-dev`);
  });
  const text = new TextDecoder();
  if (code !== 0) {
    throw new Error(`${command} ended with exit code ${code}\n${text.decode(stderr)}`);
  }
  return text.decode(stdout);
}
