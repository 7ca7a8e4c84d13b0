/**
 * What other nodes have in flight of a name and SHA-256, after fellows of this node left. Pure.
 *
 * A flight whose id is a SHA-256 goes on with whatever the mirror gives. When the mirror's file becomes
 * another one, those who notice begin again, in a flight of what their mirror says of it. One that never
 * read of the first file cannot notice: it would read on with few or none, and have a mixture at the end.
 *
 * Rules
 *  1. Who was left by half of its fellows looks for what else is in flight; only who was left so
 *     believes anything of that.
 *  2. It follows those whose flight is of the very file that its own mirror has now. So who lies about
 *     it can cost what was got until then, and nothing else.
 */

import type { FlightId } from "../../base/ids.ts";
import { limits } from "../../base/limits.ts";
import { flightOfMirror, type FlightValidators } from "./flight_id.ts";

/** The file whose flight was left. */
interface LeftFile {
  readonly name: string;
  readonly sizeBytes: number;
  readonly sha256: string | null;
}

/** A file in flight at another node. */
interface OtherFlight {
  readonly flight: FlightId;
  readonly name: string;
  readonly sha256: string | null;
}

/** What one flight hears of others of its name. */
export class FlightsElsewhere {
  readonly #file: LeftFile;
  readonly #ids = new Set<FlightId>();
  /** Most fellows that were there at a time, since half of them left last. */
  #most = 0;
  #isLeft = false;

  constructor(file: LeftFile) {
    this.#file = file;
  }

  /** Rule 1: so many fellows are there now; whether it is to be looked for others. */
  fellows(count: number): boolean {
    this.#most = Math.max(this.#most, count);
    if (this.#most === 0 || 2 * count > this.#most) return false;
    this.#most = count;
    this.#isLeft = true;
    return true;
  }

  heard(flights: readonly OtherFlight[]): void {
    const { name, sha256 } = this.#file;
    if (!this.#isLeft || sha256 === null) return;
    for (const other of flights) {
      if (other.sha256 !== sha256 || other.name !== name) continue;
      if (this.#ids.size < limits.flightsOfferedMax) this.#ids.add(other.flight);
    }
  }

  /** Rule 2: whether others are in flight with the file that a mirror has, which says this of it. */
  isFollowing(validators: FlightValidators): boolean {
    if (this.#ids.size === 0) return false;
    const id = flightOfMirror(this.#file.name, this.#file.sizeBytes, validators);
    return id !== null && this.#ids.has(id);
  }
}
