// The drawer of the answer: three places, one question, and what stands apart from a choice.

import { byId, make } from "./element.js";
import { say } from "./words.js";

/** Events: "change" (the choice changed here), "show" (detail: letter), "submit". */
export class Drawer extends EventTarget {
  #drawer = byId("decide");
  #form = byId("answer");
  #choice = null;
  #scene = null;
  #current = () => null;
  #returnTo = null;

  /** `current()` tells the letter that is seen now, for empty places. */
  constructor(current) {
    super();
    this.#current = current;
    this.#form.addEventListener("submit", (event) => (event.preventDefault(), this.dispatchEvent(new Event("submit"))));
    this.#form.addEventListener("change", (event) => this.#changed(event.target));
    byId("comment").addEventListener("input", () => this.#comment());
    byId("slots").addEventListener("click", (event) => this.#slotClicked(event.target.closest("[data-place]")));
  }

  /** A new trial and the choice that belongs to it. */
  load(scene, choice) {
    this.#scene = scene;
    this.#choice = choice;
    byId("comment").value = choice.comment;
    const tick = (name) =>
      make(
        "label",
        {},
        make("input", { type: "checkbox", name: "reason", value: name }),
        make("span", { textContent: say(`reason_${name}`) }),
      );
    byId("reasons")
      .querySelector(".ticks")
      .replaceChildren(...scene.reasons.map(tick));
    byId("reopen").hidden = !scene.can_reopen;
    this.#comment();
  }

  get isOpen() {
    return !this.#drawer.hidden;
  }

  open() {
    if (this.isOpen) return;
    this.#returnTo = document.activeElement;
    this.#drawer.hidden = false;
    this.#drawer.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.#drawer.hidden = true;
    if (this.#returnTo?.isConnected) this.#returnTo.focus({ preventScroll: true });
  }

  // ---- drawing

  #slot(place) {
    const letter = this.#choice.state.places[place];
    const number = place + 1;
    const current = this.#current();
    const picture = letter && this.#scene.images.find((image) => image.letter === letter);
    const label = letter
      ? say("slot_show", { letter })
      : current
        ? say("slot_put", { letter: current })
        : say("slot_empty");
    const need = place ? say("optional") : say("needed");
    const main = make(
      "button",
      {
        type: "button",
        className: "slot",
        data: { place, act: letter ? "show" : "put" },
        disabled: !letter && !current,
        aria: { label: `${say(`place_long_${number}`)}: ${label}` },
      },
      picture ? make("img", { src: `/p/${picture.id}/w480.jpg`, alt: "", draggable: false }) : make("i"),
      make("span", { className: "rank" }, make("b", { textContent: number }), ` ${say(`place_long_${number}`)}`),
      make("span", { className: "in", textContent: letter ?? `${label} (${need})` }),
    );
    const clear = make("button", {
      type: "button",
      className: "clear",
      data: { place, act: "clear" },
      textContent: "×",
      hidden: !letter,
      aria: { label: say("slot_clear", { letter, number }) },
    });
    return make("li", { className: letter ? "filled" : "" }, main, clear);
  }

  /** Draw the choice as it is now; `lock` is the text of what still locks saving, or null. */
  draw(lock) {
    const { kind, places, acceptable, reasons } = this.#choice.state;
    const focusedPlace = document.activeElement?.closest("#slots [data-place]")?.dataset;
    const keep = focusedPlace && `[data-place="${focusedPlace.place}"].${document.activeElement.className}`;
    byId("slots").replaceChildren(...[0, 1, 2].map((place) => this.#slot(place)));
    if (keep) (byId("slots").querySelector(`${keep}:not([hidden])`) ?? this.#drawer).focus();
    byId("choice-part").hidden = kind !== "choice";
    byId("other-kind").hidden = kind === "choice";
    if (kind !== "choice") byId("other-kind").textContent = say(`kind_${kind}`);
    const question = byId("acceptable");
    question.querySelector("legend").textContent = places[0]
      ? say("question", { letter: places[0] })
      : say("question_none");
    question.disabled = !places[0];
    for (const input of question.querySelectorAll("input"))
      input.checked = acceptable !== null && (input.value === "yes") === acceptable;
    byId("reasons").hidden = acceptable !== false;
    for (const input of byId("reasons").querySelectorAll("input")) input.checked = reasons.includes(input.value);
    for (const name of ["cannot-tell", "technical"]) {
      document
        .querySelector(`#decide [data-command="${name}"]`)
        .setAttribute("aria-pressed", kind === name.replace("-", "_"));
    }
    this.#drawTodo(lock);
  }

  #drawTodo(lock) {
    const missing = this.#choice.missing();
    const text = missing ? say(missing, { letter: this.#choice.state.places[0] }) : (lock ?? say("todo_ready"));
    const todo = byId("todo");
    if (todo.textContent !== text) todo.textContent = text;
    byId("submit").disabled = Boolean(missing || lock);
  }

  // ---- what people do here

  #changed(input) {
    if (input.name === "acceptable") this.#choice.accept(input.value === "yes");
    else if (input.name === "reason") this.#choice.reason(input.value);
    else return;
    this.dispatchEvent(new Event("change"));
  }

  #comment() {
    const text = byId("comment").value;
    this.#choice.comment = text;
    byId("comment-left").textContent = text.length > 400 ? say("characters_left", { count: 500 - text.length }) : "";
    this.dispatchEvent(new Event("comment"));
  }

  #slotClicked(button) {
    if (!button) return;
    const place = Number(button.dataset.place);
    const letter = this.#choice.state.places[place];
    if (button.dataset.act === "show") return void this.dispatchEvent(new CustomEvent("show", { detail: letter }));
    if (button.dataset.act === "clear") this.#choice.clear(place);
    else if (this.#current()) this.#choice.place(this.#current(), place);
    this.dispatchEvent(new Event("change"));
  }
}
