// Seeded randomness (mulberry32): the same seed makes the same schema and the same transactions anywhere.
export class Random {
  constructor(seed) { this.state = seed >>> 0; }

  float() {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let t = this.state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  int(n) { return Math.floor(this.float() * n); }
  chance(p) { return this.float() < p; }
  pick(list) { return list[this.int(list.length)]; }

  shuffle(list) {
    const copy = [...list];
    for (let i = copy.length - 1; i > 0; i -= 1) {
      const j = this.int(i + 1);
      [copy[i], copy[j]] = [copy[j], copy[i]];
    }
    return copy;
  }
}
