// One tab at a time: a second one is told that a first is open, and the one left behind rests.

/** Events: "other" (another tab was here first), "taken" (another tab took over). */
export class Tabs extends EventTarget {
  #channel = "BroadcastChannel" in window ? new BroadcastChannel("study-trial") : null;
  #isActive = true;

  open() {
    if (!this.#channel) return;
    this.#channel.onmessage = ({ data }) => this.#heard(data);
    this.#channel.postMessage("hello");
  }

  #heard(message) {
    if (message === "hello" && this.#isActive) this.#channel.postMessage("here");
    if (message === "here") this.#rest("other");
    if (message === "mine") this.#rest("taken");
  }

  #rest(event) {
    if (!this.#isActive) return;
    this.#isActive = false;
    this.dispatchEvent(new Event(event));
  }

  /** Go on in this tab. */
  take() {
    this.#isActive = true;
    this.#channel?.postMessage("mine");
  }
}
