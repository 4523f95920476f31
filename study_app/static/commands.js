// What each command does. Keys and buttons name the same commands: there is nothing that only one of them can do.

import { find } from "./keymap.js";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function screenCommands(screen) {
  const place = (number) => screen.letter && (screen.choice.place(screen.letter, number - 1), screen.marked());
  const mark = (act) => screen.letter && (act(screen.letter), screen.marked());
  const crosshair = document.getElementById("crosshair");
  return {
    show: (name) => screen.look(name),
    peek: (name, isDown) => screen.motion.peek(name, isDown),
    "place-next": (name) => screen.has(name) && screen.choice.placeNext(name) && screen.marked(),
    "next-shortlisted": () => screen.nextShortlisted(1),
    "previous-shortlisted": () => screen.nextShortlisted(-1),
    blink: (_, isDown) => screen.motion.blink(isDown),
    flicker: () => screen.motion.flicker(),
    "next-source": () => screen.nextSource(1),
    "previous-source": () => screen.nextSource(-1),
    "next-point": () => screen.nextPoint(1),
    "previous-point": () => screen.nextPoint(-1),
    crosshair: () => {
      crosshair.hidden = !crosshair.hidden;
      screen.panel.press("crosshair", !crosshair.hidden);
    },
    "zoom-in": () => screen.stack.zoomBy(1.5),
    "zoom-out": () => screen.stack.zoomBy(1 / 1.5),
    fit: () => screen.stack.fit(),
    "one-to-one": () => screen.stack.pixels(1),
    "two-to-one": () => screen.stack.pixels(2),
    arrow: (key) =>
      screen.mode === "grid" ? screen.grid.move(...ARROWS[key]) : screen.stack.pan(...ARROWS[key], false),
    "arrow-far": (key) => screen.mode !== "grid" && screen.stack.pan(...ARROWS[key], true),
    place,
    "place-1": () => place(1),
    "place-2": () => place(2),
    "place-3": () => place(3),
    shortlist: () => mark((letter) => screen.choice.shortlist(letter)),
    dismiss: () => mark((letter) => screen.choice.dismiss(letter)),
    undo: () => screen.undo(),
    yes: () => screen.choice.state.places[0] && (screen.choice.accept(true), screen.marked()),
    no: () => screen.choice.state.places[0] && (screen.choice.accept(false), screen.marked()),
    "cannot-tell": () => (screen.choice.answerBy("cannot_tell"), screen.marked()),
    technical: () => (screen.choice.answerBy("technical"), screen.marked()),
    grid: () => screen.setMode("grid"),
    compare: () => screen.setMode("compare"),
    decide: () => screen.setMode("decide"),
    forward: () => screen.setMode({ grid: "compare", compare: "decide", decide: "decide" }[screen.mode]),
    back: () => screen.setMode({ grid: "grid", compare: "grid", decide: "compare" }[screen.mode]),
  };
}

/** Wire keys and buttons to commands; `own` adds those of the page, `isBlocked` says when none may run. */
export function listen(screen, help, own, isBlocked) {
  const commands = { ...screenCommands(screen), help: () => help.open(), "close-help": () => help.close(), ...own };
  const held = new Map(); // code -> release of a key that is down

  addEventListener("keydown", (event) => {
    if (isBlocked() || document.querySelector("dialog[open]")) return;
    const found = find(event, screen.mode, help.singleKeys);
    if (!found) return;
    const { row, key } = found;
    event.preventDefault();
    if (row.hold && event.repeat) return;
    commands[row.command](row.many === "place" ? Number(key) : key, true);
    if (row.hold) held.set(event.code, () => commands[row.command](key, false));
  });
  const release = (code) => {
    held.get(code)?.();
    held.delete(code);
  };
  addEventListener("keyup", ({ code }) => release(code));
  addEventListener("blur", () => [...held.keys()].forEach(release)); // the release would be heard elsewhere

  addEventListener("click", (event) => {
    const button = event.target.closest("[data-command]");
    if (!button || button.dataset.command === "blink" || (isBlocked() && !button.closest("dialog"))) return;
    commands[button.dataset.command](button.dataset.letter, true);
  });
  // A tool clicked by mouse leaves the focus where it was, so that Enter goes on instead of pressing it again.
  addEventListener("mousedown", (event) => {
    if (event.target.closest("#panel button, #strip button, .steps-bar button")) event.preventDefault();
  });
  holdButton(commands);
}

/** Blink works while the button is held, by mouse, touch, or the space bar. */
function holdButton(commands) {
  const button = document.querySelector("[data-command=blink]");
  const down = () => commands.blink(null, true);
  const up = () => commands.blink(null, false);
  button.addEventListener("pointerdown", (event) => (button.setPointerCapture(event.pointerId), down()));
  for (const end of ["pointerup", "pointercancel", "blur"]) button.addEventListener(end, up);
  button.addEventListener("keydown", ({ key, repeat }) => key === " " && !repeat && down());
  button.addEventListener("keyup", ({ key }) => key === " " && up());
}
