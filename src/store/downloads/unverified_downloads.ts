/** The intakes of a store: begins them, keeps those that wait, makes whole ones files of the store. */

import { EnvironmentError, messageOf, UsageError } from "../../base/errors.ts";
import { CHUNK_BYTES, type ChunkRange } from "../../base/geometry.ts";
import type { Root } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { checkName } from "../../base/names.ts";
import type { Downloads } from "./downloads.ts";
import { flushFile, moveFile } from "../files/durable.ts";
import { isSameFile } from "../files/fingerprint.ts";
import { type HashedFile, hashFile } from "../hashing/hash_file.ts";
import { Hasher } from "../hashing/hasher.ts";
import { Intake, type IntakeHost, type IntakeRequest } from "./unverified_download.ts";
import { removeIfThere } from "../files/io.ts";
import { type FileDefinition, joinPath, Place, splitPath } from "../files/stored_file.ts";
import type { StoreParts } from "./store_context.ts";

/** What intakes need of the store besides its parts. */
export interface IntakesHost {
  readonly downloads: Downloads;
  noteSha256(root: Root, sha256: string): void;
  /** The file of a root; a complete one first. */
  definition(root: Root): FileDefinition | undefined;
  readRun(root: Root, range: ChunkRange, target: Uint8Array, offset: number): number;
}

/** Up to this size hashing costs less here and now, about a millisecond, than in a worker. */
const HASHED_HERE_BYTES = limits.requestChunksMax * CHUNK_BYTES;

type Timer = ReturnType<typeof setTimeout>;

/** The intakes of one store. */
export class Intakes implements IntakeHost {
  readonly #parts: StoreParts;
  readonly #host: IntakesHost;
  // A worker of its own: a fetch must not wait until thousands of shared files are hashed.
  readonly #hasher = new Hasher();
  readonly #active = new Set<Intake>();
  /** Those that wait, the one that waits longest first, and when each is given up. */
  readonly #waiting = new Map<Intake, Timer>();
  #lastNumber = 0;
  #isClosed = false;

  constructor(parts: StoreParts, host: IntakesHost) {
    this.#parts = parts;
    this.#host = host;
  }

  get handles(): StoreParts["handles"] {
    return this.#parts.handles;
  }

  /** Bytes of the data directory that they take up. */
  get bytes(): number {
    let bytes = 0;
    for (const intake of this.#active) if (!intake.isForeign) bytes += intake.bytesHad;
    for (const intake of this.#waiting.keys()) bytes += intake.bytesHad;
    return bytes;
  }

  /**
   * Begins an intake, or goes on with one of this name and key that was suspended, if it can be of
   * this size.
   *
   * @throws {UsageError} when the name or the size cannot be.
   * @throws {EnvironmentError} when the disk refuses, or too many are under way ("in-use").
   */
  open(request: IntakeRequest): Intake {
    checkName(request.name);
    checkSize(request);
    const waiting = request.path === undefined ? this.#takeWaiting(request) : undefined;
    if (waiting !== undefined) return waiting;
    this.#makeRoom(request.name);
    const isForeign = request.path !== undefined;
    const path = request.path ??
      joinPath(this.#parts.directory.incomingPath, String(++this.#lastNumber));
    const intake = new Intake({ ...request, path, isForeign }, this);
    this.#active.add(intake);
    return intake;
  }

  async adopt(
    intake: Intake,
    { sha256, signal, placing, adopted }: {
      readonly sha256: string | undefined;
      readonly signal: AbortSignal | undefined;
      readonly placing: ((root: Root) => Promise<void>) | undefined;
      readonly adopted: (file: FileDefinition) => void;
    },
  ): Promise<void> {
    // Its bytes may be shown as this file's after a power failure only if they are on the disk.
    const isDurable = this.#parts.catalogue !== undefined && !intake.isForeign;
    if (isDurable) await flushFile(this.#parts.handles, intake.path);
    signal?.throwIfAborted();
    const hashed = await this.#hash(intake, signal);
    const { root, sizeBytes } = hashed;
    if (sizeBytes !== intake.sizeBytes) {
      this.#parts.collectLeaves(root, sizeBytes);
      throw new EnvironmentError("changed", `Cannot keep ${intake.name}: its data changed`);
    }
    try {
      await placing?.(root);
    } catch (error) {
      this.#parts.collectLeaves(root, sizeBytes);
      throw error;
    }
    // Before anybody hears of the file: who looks at it then finds what is known of it.
    if (sha256 !== undefined) this.#host.noteSha256(root, sha256);
    const here = intake.isForeign ? undefined : this.#completeFile(root);
    if (here !== undefined) {
      adopted(here);
      this.#remove(intake);
      this.#active.delete(intake);
      return;
    }
    // Who reads it goes on while it moves: a new descriptor could not be had then.
    const { handles } = this.#parts;
    const handle = handles.pin(intake.path, { write: true });
    try {
      await this.#place(intake, hashed, isDurable);
      adopted(this.#host.definition(root)!);
    } catch (error) {
      this.#parts.collectLeaves(root, sizeBytes);
      throw error;
    } finally {
      handles.unpin(handle);
      handles.forget(intake.path);
    }
    this.#active.delete(intake);
  }

  suspended(intake: Intake): void {
    this.#active.delete(intake);
    if (intake.isForeign) return;
    if (intake.bytesHad === 0 || this.#isClosed) return intake.discard();
    const giveUp = setTimeout(() => intake.discard(), limits.intakeKeptMs);
    this.#waiting.set(intake, giveUp);
  }

  discarded(intake: Intake): void {
    this.#active.delete(intake);
    clearTimeout(this.#waiting.get(intake));
    this.#waiting.delete(intake);
    if (!intake.isForeign) this.#remove(intake);
  }

  readAdopted(
    { root }: FileDefinition,
    range: ChunkRange,
    target: Uint8Array,
    offset: number,
  ): number {
    return this.#host.readRun(root, range, target, offset);
  }

  /** Gives up all of them. */
  close(): void {
    this.#isClosed = true;
    this.#hasher.close();
    for (const intake of [...this.#active, ...this.#waiting.keys()]) intake.discard();
  }

  #takeWaiting({ name, key, sizeBytes }: IntakeRequest): Intake | undefined {
    for (const [intake, giveUp] of this.#waiting) {
      if (intake.name !== name || intake.key !== key) continue;
      const fits = sizeBytes === null || (intake.sizeBytes ?? sizeBytes) === sizeBytes;
      if (!fits) {
        intake.discard();
        continue;
      }
      clearTimeout(giveUp);
      this.#waiting.delete(intake);
      intake.resume(sizeBytes);
      this.#active.add(intake);
      return intake;
    }
    return undefined;
  }

  #makeRoom(name: string): void {
    while (this.#active.size + this.#waiting.size >= limits.intakesMax) {
      const [oldest] = this.#waiting.keys();
      if (oldest === undefined) {
        throw new EnvironmentError(
          "in-use",
          `Cannot take in ${name}: ${limits.intakesMax} files are being taken in already`,
          { hint: "Try again when some of them have come." },
        );
      }
      oldest.discard();
    }
  }

  async #hash(
    { path, sizeBytes }: Intake,
    signal: AbortSignal | undefined,
  ): Promise<HashedFile> {
    const { leavesPath } = this.#parts.directory;
    if ((sizeBytes ?? Infinity) <= HASHED_HERE_BYTES) {
      return hashFile({ path, leavesPath, sidecarName: "hashing-here" });
    }
    return await this.#hasher.hash({ path, leavesPath, sidecarName: "hashing-intake" }, { signal });
  }

  /** A complete file of this content that is still what it was. */
  #completeFile(root: Root): FileDefinition | undefined {
    for (;;) {
      const place = this.#parts.index.first(root);
      if (place === undefined) return undefined;
      if (isUnchanged(place)) return this.#host.definition(root);
      // The leaves were written anew: they must not go with the file that is gone.
      this.#parts.withdrawPlaces([place], { keepLeaves: true });
    }
  }

  async #place(intake: Intake, hashed: HashedFile, isDurable: boolean): Promise<void> {
    const { root } = hashed;
    const { name, isForeign } = intake;
    let path = intake.path;
    if (!isForeign) {
      path = joinPath(this.#parts.directory.newFileDirectory(root), name);
      await moveFile(intake.path, path, { isDurable });
    }
    const place = new Place("downloaded", { ...splitPath(path), name }, hashed);
    this.#parts.index.add(place);
    if (!isForeign) this.#parts.remember((catalogue) => catalogue.putPlaces([place]));
    // After it is in the index, so that the leaf layer stays.
    this.#host.downloads.discardWaiting(root);
    this.#parts.emit({ kind: "added", root, name });
    // Meanwhile the same content may have been shared.
    this.#parts.dropDuplicate(root);
  }

  #remove({ path }: Intake): void {
    this.#parts.handles.forget(path);
    try {
      removeIfThere(path);
    } catch (error) {
      this.#parts.warn(messageOf(error), { path });
    }
  }
}

function checkSize({ name, sizeBytes }: IntakeRequest): void {
  if (sizeBytes === null) return;
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || sizeBytes > limits.fetchBytesMax) {
    throw new UsageError(
      `Cannot take in ${name}: size ${sizeBytes} is not between 0 and ${limits.fetchBytesMax}`,
    );
  }
}

function isUnchanged(place: Place): boolean {
  try {
    return isSameFile(place, Deno.statSync(place.path));
  } catch {
    return false;
  }
}
