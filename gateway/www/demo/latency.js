// Clocks, percentiles and the little curve. All times are milliseconds since 1970, with fractions.

// The helper runs beside the database; the page may run elsewhere. The offset between the two clocks
// is taken from the quickest of a few round trips.
export class Clock {
  offset = 0;

  async sync(fetchClock, rounds = 6) {
    let best = Infinity;
    for (let i = 0; i < rounds; i += 1) {
      const sent = local();
      const remote = await fetchClock();
      const trip = local() - sent;
      if (trip < best) {
        best = trip;
        this.offset = remote - (sent + trip / 2);
      }
    }
  }

  now() { return local() + this.offset; }
}

const local = () => performance.timeOrigin + performance.now();

// An ISO time with all its digits: Date keeps three of them.
export function parseTime(text) {
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  return Date.parse(text) + (fraction.length > 3 ? Number(`0.${fraction.slice(3)}`) : 0);
}

export class Samples {
  #values = [];

  constructor(size) { this.size = size; }

  add(value) {
    this.#values.push(Math.max(0, value));
    if (this.#values.length > this.size) this.#values.shift();
  }

  get values() { return this.#values; }
  get last() { return this.#values.at(-1); }

  percentile(part) {
    if (this.#values.length === 0) return undefined;
    const sorted = [...this.#values].sort((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))];
  }
}

export function formatMs(value) {
  if (value === undefined) return '–';
  return value < 10 ? `${value.toFixed(1)} ms` : `${Math.round(value)} ms`;
}

// A path for a viewBox of width × height; the newest sample is at the right.
export function sparkline(values, size, width, height) {
  if (values.length === 0) return '';
  const top = Math.max(4, ...values);
  const x = (i) => width - (values.length - 1 - i) * (width / (size - 1));
  const y = (value) => height - 2 - (value / top) * (height - 6);
  return values.map((value, i) => `${i === 0 ? 'M' : 'L'}${x(i).toFixed(1)} ${y(value).toFixed(1)}`).join('');
}
