// The column of tools beside the picture, the strip of letters below it, and the small map of where one is.

import { byId, make } from "./element.js";
import { say } from "./words.js";

/** The name of a layer as people read it. */
export function layerName(name, sources) {
  return name.length === 1 ? say("letter", { letter: name }) : say("source", { number: name.slice(1), total: sources });
}

export class Panel extends EventTarget {
  #map = byId("minimap");
  #picture = this.#map.querySelector("img");
  #frame = this.#map.querySelector("i");
  #scene = null;
  #ids = new Map();

  constructor() {
    super();
    const go = (event) => {
      const { left, top, width, height } = this.#picture.getBoundingClientRect();
      const at = [(event.clientX - left) / width, (event.clientY - top) / height];
      this.dispatchEvent(new CustomEvent("go", { detail: at.map((share) => Math.min(1, Math.max(0, share))) }));
    };
    this.#map.addEventListener("pointerdown", (event) => (this.#map.setPointerCapture(event.pointerId), go(event)));
    this.#map.addEventListener("pointermove", (event) => event.buttons && go(event));
  }

  /** Draw the strip for a new scene. */
  show(scene) {
    this.#scene = scene;
    this.#ids = new Map(scene.images.map(({ letter, id }) => [letter, id]));
    scene.exposures.forEach(({ id }, index) => this.#ids.set(`e${index + 1}`, id));
    const button = (name, text) =>
      make(
        "button",
        {
          type: "button",
          data: { command: "show", letter: name },
          aria: { label: layerName(name, scene.exposures.length) },
        },
        make("span", { textContent: text }),
        make("sup"),
      );
    const letters = scene.images.map(({ letter }) => button(letter, letter));
    const sources = scene.exposures.map((_, index) => button(`e${index + 1}`, index + 1));
    const heading = make("span", { className: "label", textContent: say("source_short") });
    byId("strip").replaceChildren(...letters, ...(sources.length ? [heading, ...sources] : []));
    byId("points").hidden = !scene.points.length;
    this.#map.style.setProperty("--aspect", scene.width / scene.height);
  }

  /** Which layer is seen, and whether it is sharp. */
  layer(name, isSharp, hasFailed) {
    const isLetter = name.length === 1;
    byId("letter").textContent = isLetter ? name : name.slice(1);
    const onScreen = make("b", { textContent: isLetter ? name : layerName(name, this.#scene.exposures.length) });
    byId("on-screen").replaceChildren(say("on_screen"), " ", onScreen);
    const state = say(hasFailed ? "incomplete" : isSharp ? "sharp" : "sharpening");
    byId("now-text").textContent = `${layerName(name, this.#scene.exposures.length)}\n${state}`;
    for (const button of byId("strip").querySelectorAll("button")) {
      button.setAttribute("aria-pressed", button.dataset.letter === name);
    }
    const source = `/p/${this.#ids.get(name)}/w480.jpg`;
    if (this.#picture.getAttribute("src") !== source) this.#picture.src = source;
    for (const command of ["shortlist", "dismiss", "place-1", "place-2", "place-3"])
      this.#tool(command).disabled = !isLetter;
  }

  #tool(command) {
    return document.querySelector(`#panel [data-command="${command}"]`);
  }

  press(command, isOn) {
    this.#tool(command).setAttribute("aria-pressed", isOn);
  }

  view(zoom, { x, y, width, height }) {
    byId("zoom").textContent = zoom < 0.0995 ? `${(zoom * 100).toFixed(1)}\u202f%` : `${Math.round(zoom * 100)}\u202f%`;
    const clip = (from, size) => [Math.max(0, from), Math.min(1, from + size)];
    const [left, right] = clip(x, width);
    const [top, bottom] = clip(y, height);
    Object.assign(this.#frame.style, {
      left: `${left * 100}%`,
      top: `${top * 100}%`,
      width: `${Math.max(0, right - left) * 100}%`,
      height: `${Math.max(0, bottom - top) * 100}%`,
    });
  }

  point(index) {
    const total = this.#scene.points.length;
    byId("point").textContent =
      index === null ? say("points", { total }) : say("point_of", { number: index + 1, total });
  }

  /** Marks of a choice on the strip and on the buttons of the shown letter. */
  mark({ places, shortlist, dismissed }, shown) {
    for (const button of byId("strip").querySelectorAll("button")) {
      const name = button.dataset.letter;
      const place = places.indexOf(name);
      button.classList.toggle("shortlisted", shortlist.includes(name));
      button.classList.toggle("dismissed", dismissed.includes(name));
      button.querySelector("sup").textContent = place >= 0 ? place + 1 : "";
      if (name.length > 1) continue;
      const words = [say("letter", { letter: name })];
      if (place >= 0) words.push(say(`place_${place + 1}`));
      if (shortlist.includes(name)) words.push(say("shortlisted"));
      if (dismissed.includes(name)) words.push(say("dismissed"));
      button.setAttribute("aria-label", words.join(", "));
    }
    this.press("shortlist", shortlist.includes(shown));
    this.press("dismiss", dismissed.includes(shown));
    for (const place of [0, 1, 2]) this.press(`place-${place + 1}`, places[place] === shown && shown !== null);
  }
}
