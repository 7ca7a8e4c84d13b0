/**
 * Tells systemd how a service does, as sd_notify(3) has it: READY, RELOADING, STOPPING, STATUS and
 * the watchdog's beat. Where nobody asks for that (no NOTIFY_SOCKET) it does nothing.
 *
 * The runtime has datagram sockets of the system with `--unstable-net` only, which all builds of this
 * program have. It has no clock that is systemd's MONOTONIC_USEC, so that `Type=notify-reload` is not
 * served: the unit is of `Type=notify` and sends SIGHUP itself.
 */

import { systemClock } from "../../base/clock.ts";
import { messageOf } from "../../base/errors.ts";
import { limits } from "../../base/limits.ts";
import { clippedText } from "../../base/bytes.ts";

/** What of the runtime's datagram sockets is used. */
interface DatagramSocket {
  send(bytes: Uint8Array, to: { readonly transport: "unixpacket"; readonly path: string }): Promise<
    number
  >;
  close(): void;
}
type ListenDatagram = (
  options: { readonly transport: "unixpacket"; readonly path: string },
) => DatagramSocket;

/** The manager of services that started this process, if one did and listens. */
export class ServiceManager implements Disposable {
  readonly #socket: DatagramSocket;
  readonly #path: string;
  readonly #timers = new DisposableStack();
  readonly #failed: (reason: string) => void;
  #sending: Promise<void> = Promise.resolve();
  #isClosed = false;
  #hasFailed = false;

  private constructor(socket: DatagramSocket, path: string, failed: (reason: string) => void) {
    this.#socket = socket;
    this.#path = path;
    this.#failed = failed;
    const { watchdogMs } = surroundings();
    if (watchdogMs === undefined) return;
    const everyMs = watchdogMs / limits.watchdogBeatsLeast;
    this.#timers.use(systemClock.every(everyMs, () => this.#tell({ WATCHDOG: "1" })));
  }

  /**
   * Undefined where none asks to be told.
   *
   * @param failed Hears why it cannot be told, though it asks; once.
   */
  static open(failed: (reason: string) => void): ServiceManager | undefined {
    const { path } = surroundings();
    if (path === undefined) return undefined;
    try {
      return new ServiceManager(openSocket(), path, failed);
    } catch (error) {
      failed(messageOf(error));
      return undefined;
    }
  }

  /** The service does all of its work; `status` is shown to people. */
  ready(status: string): void {
    this.#tell({ READY: "1", STATUS: status });
  }

  /** It reads its settings again; {@linkcode ready} ends that. */
  reloading(): void {
    this.#tell({ RELOADING: "1" });
  }

  stopping(): void {
    this.#tell({ STOPPING: "1" });
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    this.#timers.dispose();
    this.#socket.close();
  }

  #tell(fields: Readonly<Record<string, string>>): void {
    const lines = Object.entries(fields).map(([key, value]) =>
      `${key}=${clippedText(value.replaceAll("\n", " "), limits.managerStatusBytesMax)}`
    );
    const bytes = new TextEncoder().encode(lines.join("\n"));
    this.#sending = this.#sending.then(async () => {
      if (this.#isClosed) return;
      try {
        await this.#socket.send(bytes, { transport: "unixpacket", path: this.#path });
      } catch (error) {
        if (!this.#hasFailed) this.#failed(messageOf(error));
        this.#hasFailed = true;
      }
    });
  }
}

/** What the manager says in the environment of the process. */
function surroundings(): {
  readonly path: string | undefined;
  readonly watchdogMs: number | undefined;
} {
  const watchdogMs = Number(Deno.env.get("WATCHDOG_USEC")) / 1000;
  // A leading "@" stands for the zero byte of an abstract name: sd_notify(3), unix(7).
  const path = Deno.env.get("NOTIFY_SOCKET")?.replace(/^@/, "\0");
  return {
    path: path || undefined,
    watchdogMs: watchdogMs >= limits.watchdogMsLeast ? watchdogMs : undefined,
  };
}

/** A socket to send from. It needs a name to begin with; nobody has to find it. */
function openSocket(): DatagramSocket {
  const { listenDatagram } = Deno as { readonly listenDatagram?: ListenDatagram };
  if (listenDatagram === undefined) throw new Error("the runtime lacks --unstable-net");
  const folder = Deno.makeTempDirSync({ prefix: "pacsrv-" });
  try {
    return listenDatagram({ transport: "unixpacket", path: `${folder}/notify` });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
