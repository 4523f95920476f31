// What happened during one trial, in numbers: sent with the vote, for the checks of section 6. Nothing personal.

const MOST_VIEWS = 300; // a body may have 64 kB; a view takes about 30 bytes

export class Behaviour {
  #start = performance.now();
  #shown = null; // { letter, since }: what is on the screen at full size now
  #views = [];
  #dwell = {};
  #zoom = {};
  #points = [];
  #blurs = [];
  #blurredAt = null;
  #failures = [];
  #counts = { flicker: 0, blink: 0, undo: 0 };
  unlockedAt = null;

  now() {
    return Math.round(performance.now() - this.#start);
  }

  /** A picture comes to the screen (a letter, or e1 … for an exposure), or none does (null). */
  show(letter) {
    this.#leave();
    this.#shown = letter === null ? null : { letter, since: this.now() };
    if (letter !== null && this.#views.length < MOST_VIEWS) this.#views.push([letter, this.now()]);
  }

  #leave() {
    if (!this.#shown) return;
    const { letter, since } = this.#shown;
    if (this.#blurredAt === null) this.#dwell[letter] = (this.#dwell[letter] ?? 0) + this.now() - since;
    this.#shown.since = this.now();
  }

  /** The largest zoom at which a letter was seen, in percent of its pixels. */
  zoom(letter, percent) {
    this.#zoom[letter] = Math.max(this.#zoom[letter] ?? 0, Math.round(percent));
  }

  point(index) {
    if (this.#points.length < MOST_VIEWS) this.#points.push([index, this.now()]);
  }

  count(name) {
    this.#counts[name] += 1;
  }

  failure(name) {
    if (this.#failures.length < 50) this.#failures.push([name, this.now()]);
  }

  /** The window lost or regained the rater's attention. */
  attention(has) {
    if (has === (this.#blurredAt === null)) return;
    this.#leave();
    if (has) {
      if (this.#blurs.length < MOST_VIEWS) this.#blurs.push([this.#blurredAt, this.now()]);
      this.#blurredAt = null;
    } else this.#blurredAt = this.now();
  }

  record() {
    this.#leave();
    return {
      total_ms: this.now(),
      unlocked_ms: this.unlockedAt,
      views: this.#views,
      dwell_ms: this.#dwell,
      zoom_percent: this.#zoom,
      points: this.#points,
      blur: this.#blurs,
      load_failures: this.#failures,
      used: this.#counts,
      dpr: window.devicePixelRatio,
      window: [window.innerWidth, window.innerHeight],
    };
  }
}
