// What pacsrv may do, and how its memory is kept small: the one list of flags for running from source,
// for installing and for compiling. The program never starts other programs, loads no native code and
// asks for nothing more at run time.

/** The environment variables that pacsrv, or a library in it, reads. */
const VARIABLES: readonly string[] = [
  "PACSRV_*",
  "HOME",
  "USERPROFILE",
  "LOCALAPPDATA",
  "XDG_CONFIG_HOME",
  "XDG_DATA_HOME",
  "XDG_RUNTIME_DIR",
  "NO_COLOR",
  "FORCE_COLOR",
  "TERM",
  "COLUMNS",
  // Which proxy a mirror is behind; the runtime itself uses it.
  ...["http_proxy", "https_proxy", "all_proxy"].flatMap((name) => [name, name.toUpperCase()]),
  "NOTIFY_SOCKET",
  "WATCHDOG_USEC",
];

/** What pacsrv asks the system: its user, for where data lies, its load, free space and addresses. */
const SYSTEM: readonly string[] = [
  "homedir",
  "hostname",
  "loadavg",
  "networkInterfaces",
  "systemMemoryInfo",
  "uid",
  "gid",
  "statfs",
];

/**
 * V8 lets what is young grow to three halves of 16 MiB or more before it looks what of it is still
 * needed. Most of ours is not, so that costs memory and saves no time: 500 clients of a gateway need
 * 30 MB less this way.
 */
const V8_FLAGS = "--max-semi-space-size=4";

/**
 * The flags for `deno run`, `deno install` and `deno compile`.
 *
 * Reading and writing are not bound to folders, because the person who runs it names them; the
 * network is not bound to hosts, because peers come and go.
 */
export function runFlags(): string[] {
  return [
    "--no-prompt",
    // For the datagrams that tell systemd how a service does.
    "--unstable-net",
    "--allow-net",
    "--allow-read",
    "--allow-write",
    `--allow-env=${VARIABLES.join(",")}`,
    `--allow-sys=${SYSTEM.join(",")}`,
    `--v8-flags=${V8_FLAGS}`,
  ];
}
