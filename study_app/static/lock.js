// Saving opens when all pictures are there and a few seconds went by, so that no vote is cast unseen.

import { byId } from "./element.js";
import { say } from "./words.js";

/** Event: "change". `reason` is the text of what still locks, or null. */
export class Lock extends EventTarget {
  #seconds = 0;
  #openAt = null;
  #timer = null;
  #state = { loaded: 0, total: 1, hasFailed: false };

  start(seconds) {
    clearInterval(this.#timer);
    this.#seconds = seconds;
    this.#openAt = null;
    this.#timer = setInterval(() => this.#draw(), 200);
  }

  /** What is loaded of the scene; a picture that failed locks again. */
  update(state) {
    this.#state = state;
    const isWhole = state.loaded === state.total && !state.hasFailed;
    if (isWhole && this.#openAt === null) this.#openAt = performance.now() + this.#seconds * 1000;
    this.#draw();
  }

  get reason() {
    const { loaded, total, hasFailed } = this.#state;
    if (hasFailed) return say("locked_failed");
    if (loaded < total) return say("locked_loading", { loaded, total });
    const left = this.#openAt - performance.now();
    return left > 0 ? say("locked_seconds", { seconds: Math.ceil(left / 1000) }) : null;
  }

  #draw() {
    const reason = this.reason;
    const text = reason ?? say("open");
    const place = byId("lock");
    if (place.textContent === text) return;
    place.textContent = text;
    place.classList.toggle("locked", reason !== null);
    if (!reason) byId("say").textContent = text; // the countdown itself would only chatter
    this.dispatchEvent(new Event("change"));
  }
}
