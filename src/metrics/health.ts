/** Whether a service can do its work, and why not: what `/readyz` says. */

/** The state of one service over its life. */
export class Health {
  #check: () => string | undefined = () => "it is starting";

  /** Why the service cannot do its work just now; undefined when it can. */
  get problem(): string | undefined {
    return this.#check();
  }

  /** The service has started; `check` says what has failed since, each time anew. */
  started(check: () => string | undefined): void {
    this.#check = check;
  }

  /** The service ends. */
  stopping(): void {
    this.#check = () => "it is stopping";
  }
}
