/**
 * A doubly linked list: entries come and go in any order at a constant cost, and each holder of a
 * node can take it out without a search. It does not look anything up; keep a map beside it.
 *
 * A Map in the order of insertion would do for one kind of entry. Here one order runs through links
 * and dials, which have different keys, and it is walked over several times a second while entries
 * go: a list walks over what is there alone, and a Map also over what was deleted since it last grew.
 */

/** One entry of a list. */
export interface ListNode<T> {
  readonly value: T;
  previous: ListNode<T> | undefined;
  next: ListNode<T> | undefined;
  /** The list that it is in; undefined once it is taken out. */
  list: LinkedList<T> | undefined;
}

/** Values in the order in which they were put in. */
export class LinkedList<T> {
  #first: ListNode<T> | undefined;
  #last: ListNode<T> | undefined;
  #size = 0;

  /** How many values are in it. */
  get size(): number {
    return this.#size;
  }

  /** Puts a value at the end; the node takes it out again. */
  push(value: T): ListNode<T> {
    const node: ListNode<T> = { value, previous: this.#last, next: undefined, list: this };
    if (this.#last === undefined) this.#first = node;
    else this.#last.next = node;
    this.#last = node;
    this.#size++;
    return node;
  }

  /** Takes a node out; false when it is not in this list. */
  remove(node: ListNode<T>): boolean {
    if (node.list !== this) return false;
    if (node.previous === undefined) this.#first = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) this.#last = node.previous;
    else node.next.previous = node.previous;
    node.list = undefined;
    this.#size--;
    return true;
  }

  /** The values, first to last. Any of them may be taken out while they are walked over. */
  *[Symbol.iterator](): Generator<T> {
    let node = this.#first;
    while (node !== undefined) {
      yield node.value;
      // A node that was taken out still points to what followed it then, and so leads back.
      do node = node.next; while (node !== undefined && node.list !== this);
    }
  }
}
