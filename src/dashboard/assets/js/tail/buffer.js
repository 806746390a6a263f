// What has come and is not drawn yet: bounded, with a count of what had to give way.

/** The newest `limit` of what is put into it. */
export class Buffer {
  constructor(limit) {
    this.limit = limit;
    this.items = [];
    // The first that is still wanted: cutting an array for each of thousands would cost more than it saves.
    this.first = 0;
    this.passed = 0;
  }

  get size() {
    return this.items.length - this.first;
  }

  push(item) {
    this.items.push(item);
    if (this.size <= this.limit) return;
    if (this.items[this.first].record) this.passed += 1;
    this.items[this.first] = undefined;
    this.first += 1;
    if (this.first >= this.limit) this.compact();
  }

  compact() {
    this.items = this.items.slice(this.first);
    this.first = 0;
  }

  /** The oldest `most` of it, which are its no longer. */
  take(most) {
    const taken = this.items.slice(this.first, this.first + most);
    this.first += taken.length;
    if (this.size === 0 || this.first >= this.limit) this.compact();
    return taken;
  }

  clear() {
    this.items = [];
    this.first = 0;
  }
}
