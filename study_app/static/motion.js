// Pictures that come and go by themselves or while a key is held: peek, blink and flicker.

import { byId } from "./element.js";
import { say } from "./words.js";

const FLICKER_HZ = 2; // full changes a second; above 3 it could harm people with photosensitive epilepsy

export class Motion {
  #screen;
  #isStill;
  #peeking = null;
  #blinking = null;
  #flicker = null;

  /** `isStill()` tells whether the rater asked for reduced motion. */
  constructor(screen, isStill) {
    this.#screen = screen;
    this.#isStill = isStill;
  }

  /** Hold a letter in the grid: that picture at full size until the key goes up. */
  peek(name, isDown) {
    if (isDown && this.#screen.has(name)) {
      this.#screen.grid.focus(name);
      this.#screen.show(name);
      this.#peeking = name;
      byId("room").dataset.mode = "peek";
      this.#screen.behaviour.show(name);
    } else if (!isDown && this.#peeking) {
      this.#peeking = null;
      byId("room").dataset.mode = this.#screen.mode;
      this.#screen.behaviour.show(null);
    }
  }

  /** What the rater chose to see while something else passes by, or null: marks are meant for it. */
  get chosen() {
    return this.#blinking ?? this.#flicker?.back ?? null;
  }

  blink(isDown) {
    if (isDown && !this.#blinking && this.#screen.stack.before) {
      this.stop();
      this.#blinking = this.#screen.stack.shown;
      this.#screen.behaviour.count("blink");
      this.#screen.show(this.#screen.stack.before, { passing: true });
    } else if (!isDown && this.#blinking) {
      const back = this.#blinking;
      this.#blinking = null;
      this.#screen.show(back, { passing: true });
    }
  }

  flicker() {
    if (this.#flicker) return this.stop();
    if (this.#isStill()) return this.#screen.tell(say("flicker_reduced"));
    if (!this.#screen.stack.before) return this.#screen.tell(say("flicker_none"));
    const pair = [this.#screen.stack.shown, this.#screen.stack.before];
    let turn = 0;
    const swap = () => this.#screen.show(pair[(turn = 1 - turn)], { passing: true });
    this.#flicker = { timer: setInterval(swap, 1000 / (2 * FLICKER_HZ)), back: pair[0] };
    this.#screen.behaviour.count("flicker");
    return this.#screen.panel.press("flicker", true);
  }

  /** End whatever changes the picture by itself, and show what the rater chose to see. */
  stop() {
    if (this.#blinking) this.blink(false);
    if (!this.#flicker) return;
    clearInterval(this.#flicker.timer);
    const { back } = this.#flicker;
    this.#flicker = null;
    this.#screen.panel.press("flicker", false);
    this.#screen.show(back, { passing: true });
  }
}
