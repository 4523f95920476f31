// The help page, made from the table of keys, and notices that need an answer.

import { byId, make } from "./element.js";
import { KEYMAP } from "./keymap.js";
import { remembered } from "./remembered.js";
import { say } from "./words.js";

const GROUPS = ["look", "mark", "move", "go"];
const SETTING = "study.single-keys";

function shownKey(row) {
  return row.shown ?? `${row.chord === "shift" ? "⇧" : ""}${row.keys[0]}`;
}

function groupTable(group) {
  const lines = new Map();
  for (const row of KEYMAP.filter((row) => row.group === group)) {
    lines.set(row.help, [...(lines.get(row.help) ?? []), shownKey(row)]);
  }
  const rows = [...lines].map(([help, keys]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, ...keys.flatMap((key) => [make("kbd", { textContent: key }), " "])),
      make("td", { textContent: say(help) }),
    ),
  );
  return make("table", {}, make("caption", { textContent: say(`group_${group}`) }), make("tbody", {}, ...rows));
}

export class Help {
  #dialog = byId("help");
  singleKeys = remembered.get(SETTING) !== "off";

  constructor() {
    byId("keys").replaceChildren(...GROUPS.map(groupTable));
    const box = byId("single-keys");
    box.checked = this.singleKeys;
    box.addEventListener("change", () => {
      this.singleKeys = box.checked;
      remembered.set(SETTING, box.checked ? "on" : "off");
    });
  }

  open() {
    if (!this.#dialog.open) this.#dialog.showModal();
  }

  close() {
    this.#dialog.close();
  }
}

let settle = null; // hears what was chosen in the notice that is open

function finish(value) {
  const hear = settle;
  settle = null;
  if (byId("notice").open) byId("notice").close();
  hear?.(value);
}

byId("notice").addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  event.preventDefault();
  if (byId("notice").dataset.escape) finish(null);
});

/** Ask or tell: `buttons` are { text, value }; resolves with the value chosen, or null if it was closed unanswered. */
export function ask(text, detail, buttons, { canEscape = false } = {}) {
  finish(null);
  const dialog = byId("notice");
  byId("notice-text").textContent = text;
  byId("notice-detail").textContent = detail;
  dialog.dataset.escape = canEscape ? "yes" : "";
  const made = buttons.map(({ text: label, value }, index) => {
    const button = make("button", { type: "button", className: index ? "tool" : "tool primary", textContent: label });
    button.addEventListener("click", () => finish(value));
    return button;
  });
  byId("notice-buttons").replaceChildren(...made);
  dialog.showModal();
  made[0]?.focus();
  return new Promise((resolve) => (settle = resolve));
}
