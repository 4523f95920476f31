// All pictures of the scene side by side, and the exposures in one cell. Looking is free: nothing here votes.

import { byId, make } from "./element.js";
import { bestGrid, floorToDevice } from "./pixels.js";
import { loadInto } from "./previews.js";
import { say } from "./words.js";

const SMALL = 480; // long side of the small preview, in pixels

const url = (id, size) => `/p/${id}/w${size}.jpg`;

/** Events: "progress" (a picture came or failed), "open" (detail: layer name). */
export class Grid extends EventTarget {
  #room = byId("grid");
  #cells = []; // { name, button, marks, images: [{ element, id, ok }] }
  #scene = null;
  #sources = [];
  #generation = 0;
  #columns = 1;
  #large = false;
  settled = null; // resolves when every picture of the scene is there or missing

  constructor() {
    super();
    this.#room.addEventListener("click", (event) => this.#clicked(event));
    this.#room.addEventListener("focusin", (event) => this.#rove(event.target.closest(".picture")));
  }

  /** Show a new scene: `images` are { letter, id }, `exposures` { id }. */
  show(scene) {
    this.#generation += 1;
    this.#scene = scene;
    this.#sources = scene.exposures;
    this.#large = false;
    this.#cells = scene.images.map(({ letter, id }) => this.#cell(letter, [id], say("letter", { letter })));
    if (scene.exposures.length)
      this.#cells.push(
        this.#cell(
          "source",
          scene.exposures.map(({ id }) => id),
          say("sources"),
        ),
      );
    this.#room.replaceChildren(...this.#cells.map(({ box }) => box));
    this.layout();
    this.settled = Promise.all(
      this.#cells.flatMap((cell) => cell.images.map((image) => this.#load(cell, image))),
    );
  }

  #cell(name, ids, label) {
    const images = ids.map((id) => ({
      id,
      ok: null,
      element: make("img", { alt: "", draggable: false, data: { id } }),
    }));
    const isSource = name === "source";
    const button = make("button", { type: "button", className: "picture", data: { name }, tabIndex: -1 });
    button.append(...images.map(({ element }) => element));
    if (isSource) button.classList.add("mosaic");
    const marks = make("span", { className: "marks" });
    const retry = make("button", {
      type: "button",
      className: "retry",
      textContent: say("retry"),
      hidden: true,
      data: { retry: name },
    });
    const caption = make(
      "p",
      { className: "caption" },
      make("b", { textContent: isSource ? label : name }),
      marks,
      retry,
    );
    const failure = make("p", { className: "failure", hidden: true });
    return {
      name,
      button,
      marks,
      retry,
      failure,
      images,
      box: make("div", { className: "cell" }, button, failure, caption),
    };
  }

  // The small preview first, which opens the vote; where the cell has more pixels than it, the large one follows.
  async #load(cell, image) {
    const generation = this.#generation;
    const ok = await loadInto(image.element, url(image.id, SMALL));
    if (generation !== this.#generation) return;
    image.ok = ok;
    this.#showFailure(cell);
    this.dispatchEvent(new CustomEvent("progress", { detail: { cell: cell.name, id: image.id, ok } }));
    if (this.#cells.every(({ images }) => images.every((each) => each.ok !== null))) this.#sharpen();
  }

  async #sharpen() {
    const generation = this.#generation;
    if (this.#large || !this.needsLarge) return;
    this.#large = true;
    const shown = this.#cells.filter(({ name }) => name !== "source").map(({ images: [image] }) => image);
    await Promise.all(
      shown.map(async (image) => {
        const larger = new Image();
        const there = await loadInto(larger, url(image.id, 2048));
        if (there && generation === this.#generation) image.element.src = larger.src;
      }),
    );
  }

  /** Whether the cells have more device pixels than the small previews. */
  get needsLarge() {
    const side = Math.max(this.#size?.pictureWidth ?? 0, this.#size?.pictureHeight ?? 0);
    return side * devicePixelRatio > SMALL * 1.05;
  }

  /** Which previews a scene with these pictures will need, the most urgent first. */
  urls(ids, sources) {
    const small = [...ids, ...sources].map((id) => url(id, SMALL));
    return this.needsLarge ? small.concat(ids.map((id) => url(id, 2048))) : small;
  }

  #showFailure(cell) {
    const isMissing = cell.images.some(({ ok }) => ok === false);
    cell.box.classList.toggle("failed", isMissing);
    cell.retry.hidden = cell.failure.hidden = !isMissing;
    cell.failure.textContent =
      cell.name === "source" ? say("failed_source") : say("failed_picture", { letter: cell.name });
  }

  /** Load again what failed: in the cell of this name, or in all. */
  retry(name = null) {
    for (const cell of this.#cells.filter((each) => name === null || each.name === name)) {
      for (const image of cell.images.filter(({ ok }) => ok === false)) {
        image.ok = null;
        this.#load(cell, image);
      }
      this.#showFailure(cell);
    }
    this.dispatchEvent(new CustomEvent("progress", { detail: { cell: name, ok: null } }));
  }

  get total() {
    return this.#cells.flatMap(({ images }) => images).length;
  }

  get loaded() {
    return this.#cells.flatMap(({ images }) => images).filter(({ ok }) => ok).length;
  }

  get hasFailed() {
    return this.#cells.some(({ images }) => images.some(({ ok }) => ok === false));
  }

  #size = null;

  /** Lay the cells out so that the pictures are largest; all edges on whole device pixels. */
  layout() {
    if (!this.#scene) return;
    const style = getComputedStyle(this.#room);
    const remSize = parseFloat(getComputedStyle(document.documentElement).fontSize);
    const caption = floorToDevice(1.75 * remSize);
    const gap = floorToDevice(0.5 * remSize);
    const width = this.#room.clientWidth - 2 * parseFloat(style.paddingLeft);
    const height = this.#room.clientHeight - 2 * parseFloat(style.paddingTop);
    const aspect = this.#scene.width / this.#scene.height;
    const size = bestGrid(this.#cells.length, aspect, width, height, { columns: gap, rows: 1.5 * gap, caption });
    this.#size = size;
    this.#columns = size.columns;
    const sheet = this.#room.style;
    sheet.setProperty("--columns", size.columns);
    sheet.setProperty("--gap", `${gap}px`);
    sheet.setProperty("--caption", `${caption}px`);
    sheet.setProperty("--wide", `${size.pictureWidth}px`);
    sheet.setProperty("--high", `${size.pictureHeight}px`);
    const mosaic = bestGrid(this.#sources.length || 1, aspect, size.pictureWidth, size.pictureHeight, {
      columns: 2,
      rows: 2,
      caption: 0,
    });
    sheet.setProperty("--mosaic", `repeat(${mosaic.columns}, ${mosaic.pictureWidth}px)`);
    if (this.loaded === this.total) this.#sharpen();
  }

  /** Write the marks of a choice under the pictures, and into what a screen reader says. */
  mark({ places, shortlist, dismissed }) {
    for (const { name, button, marks, box } of this.#cells) {
      if (name === "source") {
        button.setAttribute("aria-label", say("source_cell", { total: this.#sources.length }));
        continue;
      }
      const place = places.indexOf(name);
      const words = [];
      if (place >= 0) words.push(say(`place_${place + 1}`));
      if (shortlist.includes(name)) words.push(say("shortlisted"));
      if (dismissed.includes(name)) words.push(say("dismissed"));
      marks.textContent = words.join(" · ");
      box.classList.toggle("placed", place >= 0);
      box.classList.toggle("dismissed", dismissed.includes(name));
      const spoken = words.length ? `${words.join(", ")}.` : "";
      button.setAttribute("aria-label", say("cell", { letter: name, marks: spoken }));
    }
  }

  // ---- focus: one tab stop, arrows within

  #rove(button) {
    if (!button) return;
    for (const cell of this.#cells) cell.button.tabIndex = cell.button === button ? 0 : -1;
  }

  get focused() {
    return this.#cells.find(({ button }) => button.tabIndex === 0)?.name ?? null;
  }

  focus(name) {
    const cell = this.#cells.find((each) => each.name === name) ?? this.#cells[0];
    this.#rove(cell.button);
    cell.button.focus({ preventScroll: true });
  }

  move(dx, dy) {
    const at = this.#cells.findIndex(({ button }) => button.tabIndex === 0);
    const to = at + dx + dy * this.#columns;
    if (this.#cells[to]) this.focus(this.#cells[to].name);
  }

  #clicked(event) {
    const retry = event.target.closest("[data-retry]");
    if (retry) return this.retry(retry.dataset.retry);
    const button = event.target.closest(".picture");
    if (!button) return undefined;
    let name = button.dataset.name;
    if (name === "source") {
      const ids = this.#sources.map(({ id }) => id);
      const clicked = ids.indexOf(event.target.dataset.id);
      name = `e${(clicked >= 0 ? clicked : Math.floor((ids.length - 1) / 2)) + 1}`;
    }
    return this.dispatchEvent(new CustomEvent("open", { detail: name }));
  }
}
