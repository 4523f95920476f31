// The instrument itself: three modes, what is seen, what is marked. It knows nothing of the server.

import { Behaviour } from "./behaviour.js";
import { Choice } from "./choice.js";
import { Drawer } from "./decide.js";
import { byId } from "./element.js";
import { Grid } from "./grid.js";
import { Lock } from "./lock.js";
import { Motion } from "./motion.js";
import { layerName, Panel } from "./panel.js";
import { Stack } from "./viewer.js";
import { say } from "./words.js";

const STILL = matchMedia("(prefers-reduced-motion: reduce)");
const MODES = ["grid", "compare", "decide"];

/** Events: "marked" (the choice changed), "fault" (detail: { id, what }), "submit". */
export class Screen extends EventTarget {
  grid = new Grid();
  panel = new Panel();
  lock = new Lock();
  stack = new Stack(byId("stage"), () => STILL.matches);
  drawer = new Drawer(() => this.letter);
  choice = new Choice();
  behaviour = new Behaviour();
  motion = new Motion(this, () => STILL.matches);
  scene = null;
  mode = "grid";
  #point = null;
  #source = null;
  #lookedCloser = null; // a promise, kept by #lookCloser
  #lookCloser = null;

  constructor() {
    super();
    this.grid.addEventListener("progress", ({ detail }) => this.#progress(detail));
    this.grid.addEventListener("open", ({ detail }) => this.look(detail));
    this.stack.addEventListener("view", () => this.#viewed());
    this.stack.addEventListener("sharpness", () => this.#drawLayer());
    this.stack.addEventListener("failed", ({ detail }) => this.#tilesFailed(detail));
    this.panel.addEventListener("go", ({ detail }) => this.stack.goTo(detail));
    this.lock.addEventListener("change", () => this.draw());
    this.drawer.addEventListener("change", () => this.marked());
    this.drawer.addEventListener("comment", () => this.dispatchEvent(new Event("marked")));
    this.drawer.addEventListener("show", ({ detail }) => this.show(detail));
    this.drawer.addEventListener("submit", () => this.dispatchEvent(new Event("submit")));
    new ResizeObserver(() => this.#resized()).observe(byId("room"));
    for (const event of ["focus", "blur", "visibilitychange"]) {
      addEventListener(event, () => this.behaviour.attention(document.hasFocus() && !document.hidden), true);
    }
  }

  /** Show a trial as the server describes it; `marks` is what was marked before a reload, or null. */
  async load(scene, marks) {
    this.motion.stop();
    this.stack.clear();
    this.scene = scene;
    this.choice = new Choice();
    this.behaviour = new Behaviour();
    if (marks) this.choice.restore(marks);
    [this.#point, this.#source] = [null, null];
    this.drawer.load(scene, this.choice);
    this.panel.show(scene);
    this.panel.point(null);
    this.grid.show(scene);
    this.setMode("grid");
    this.#lookedCloser = new Promise((resolve) => (this.#lookCloser = resolve));
    this.lock.start(scene.unlock_seconds);
    this.#progress({ ok: null });
    this.draw();
    this.grid.focus(scene.images[0].letter);
    const letters = scene.images.map(({ letter, id }) => ({ name: letter, id }));
    const sources = scene.exposures.map(({ id }, index) => ({ name: `e${index + 1}`, id }));
    // Tiles would only delay what is looked at first; who looks closer earlier need not wait for the rest.
    await Promise.race([this.grid.settled, this.#lookedCloser]);
    if (scene === this.scene) await this.stack.load(scene, [...letters, ...sources]);
  }

  // ---- modes

  setMode(mode) {
    const old = this.mode;
    this.mode = mode;
    byId("room").dataset.mode = mode;
    byId("grid").inert = mode !== "grid";
    byId("compare").inert = mode === "grid";
    for (const each of MODES) byId(`step-${each}`).toggleAttribute("aria-current", each === mode);
    if (mode === "decide") this.drawer.open();
    else this.drawer.close();
    if (mode !== "grid") this.#lookCloser?.();
    if (mode === "grid") {
      this.motion.stop();
      if (old !== "grid") this.grid.focus(this.stack.shown?.length === 1 ? this.stack.shown : "source");
      this.behaviour.show(null);
    } else if (old === "grid") {
      this.behaviour.show(this.stack.shown);
      this.#drawLayer();
      this.#viewed();
    }
    if (mode === "compare" && old !== "compare") this.stack.element.focus({ preventScroll: true });
    this.draw();
    this.dispatchEvent(new Event("mode"));
  }

  /** Look closer at a layer. */
  look(name) {
    this.show(name);
    if (this.mode === "grid") this.setMode("compare");
  }

  /** The letter that marks refer to: what is seen, or in the grid what has the focus. Null for an exposure. */
  get letter() {
    const name = this.mode === "grid" ? this.grid.focused : (this.motion.chosen ?? this.stack.shown);
    return name?.length === 1 ? name : null;
  }

  /** Why nothing can be saved now, or null. A technical fault can be reported while pictures are missing. */
  get locked() {
    return this.choice.state.kind === "technical" ? null : this.lock.reason;
  }

  has(name) {
    return this.scene.images.some(({ letter }) => letter === name) || /^e\d+$/.test(name);
  }

  // ---- looking

  show(name, options) {
    if (!this.has(name)) return;
    if (!options) this.motion.stop();
    if (name[0] === "e") this.#source = Number(name.slice(1)) - 1;
    this.stack.show(name, options);
    if (this.mode !== "grid") this.behaviour.show(name);
    this.#drawLayer();
    this.#viewed();
    this.draw();
    if (!options) this.say(layerName(name, this.scene.exposures.length));
  }

  nextSource(step) {
    const count = this.scene.exposures.length;
    if (!count) return;
    const isShown = this.mode !== "grid" && this.stack.shown?.[0] === "e";
    const start = this.#source ?? Math.floor((count - 1) / 2);
    const to = isShown ? Math.min(count - 1, Math.max(0, this.#source + step)) : start;
    this.look(`e${to + 1}`);
  }

  nextShortlisted(step) {
    const { shortlist, places } = this.choice.state;
    const list = shortlist.length ? shortlist : places.filter(Boolean).sort();
    if (!list.length) return;
    const at = list.indexOf(this.letter);
    this.look(list[(at + step + (at < 0 && step < 0 ? 1 : 0) + list.length) % list.length]);
  }

  nextPoint(step) {
    const { points } = this.scene;
    if (!points.length) return;
    if (this.mode === "grid") this.look(this.letter ?? this.scene.images[0].letter);
    const from = this.#point ?? (step > 0 ? -1 : 0);
    this.#point = (from + step + points.length) % points.length;
    this.goTo(points[this.#point]);
    this.panel.point(this.#point);
    this.behaviour.point(this.#point);
  }

  /** Centre a point at 1 : 1 or closer and point it out for a moment. */
  goTo(point) {
    this.stack.goTo(point, 1);
    const target = byId("target");
    target.hidden = false;
    clearTimeout(this.targetTimer);
    this.targetTimer = setTimeout(() => (target.hidden = true), 1500);
  }

  // ---- marks

  /** The choice changed: draw it and let it be kept. */
  marked() {
    this.draw();
    this.dispatchEvent(new Event("marked"));
  }

  undo() {
    if (!this.choice.undo()) return;
    this.behaviour.count("undo");
    this.marked();
  }

  draw() {
    if (!this.scene) return;
    this.grid.mark(this.choice.state);
    this.panel.mark(this.choice.state, this.letter);
    this.drawer.draw(this.locked);
  }

  #drawLayer() {
    const name = this.stack.shown;
    if (name) byId("stage").setAttribute("aria-label", layerName(name, this.scene.exposures.length));
    if (name) this.panel.layer(name, this.stack.isSharp, this.stack.failed.has(name));
  }

  #viewed() {
    if (!this.stack.shown) return;
    this.panel.view(this.stack.zoom, this.stack.window);
    if (this.mode !== "grid") this.behaviour.zoom(this.stack.shown, this.stack.zoom * 100);
  }

  #resized() {
    this.grid.layout();
    this.stack.resize();
  }

  // ---- loading and failing

  #progress({ id, ok, cell }) {
    const hasFailed = this.grid.hasFailed || this.stack.failed.size > 0;
    if (ok === false) {
      this.behaviour.failure(cell);
      this.dispatchEvent(new CustomEvent("fault", { detail: { id, what: "preview" } }));
    }
    this.lock.update({ loaded: this.grid.loaded, total: this.grid.total, hasFailed });
    if (!this.lock.reason) this.behaviour.unlockedAt ??= this.behaviour.now();
  }

  #tilesFailed({ name, id }) {
    this.behaviour.failure(name);
    this.dispatchEvent(new CustomEvent("fault", { detail: { id, what: "tile" } }));
    const letters = [...this.stack.failed].filter((each) => each.length === 1).sort();
    const text = letters.length ? say("failed_tiles", { letter: letters.join(", ") }) : say("failed_source");
    this.tell(text, say("retry"), () => this.retry());
    this.#progress({ ok: null });
    this.#drawLayer();
  }

  /** Load again every picture that is missing or of which parts are. */
  retry() {
    this.hush();
    this.grid.retry();
    for (const name of [...this.stack.failed]) this.stack.retry(name);
    this.#progress({ ok: null });
  }

  // ---- words

  /** Tell a screen reader. */
  say(text) {
    byId("say").textContent = text;
  }

  /** Show a line above the pictures; with a button where there is something to do, else for six seconds. */
  tell(text, button = null, act = () => {}) {
    const banner = byId("banner");
    clearTimeout(this.bannerTimer);
    banner.replaceChildren(text);
    if (button) {
      const press = Object.assign(document.createElement("button"), {
        type: "button",
        className: "quiet",
        textContent: button,
      });
      press.addEventListener("click", () => (this.hush(), act()));
      banner.append(" ", press);
    } else this.bannerTimer = setTimeout(() => this.hush(), 6000);
    banner.hidden = false;
  }

  hush() {
    byId("banner").hidden = true;
  }
}
