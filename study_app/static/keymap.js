// Every key of the screen, in one table: the dispatcher and the help page read the same rows.

export const LETTERS = [..."ABCDEFGHIJKLM"];

// keys: what the key types, in the Latin alphabet · command: see commands.js · where: modes in which it works
// chord: "shift" or "ctrl" · hold: the command also hears of the release · many: the key gives the command's argument
// help: word of the help page (rows with the same word share a line), group: its heading
// prettier-ignore
export const KEYMAP = [
  { keys: LETTERS, where: "grid", command: "peek", hold: true, many: "letter" },
  { keys: LETTERS, where: "compare decide", command: "show", many: "letter", help: "key_show", group: "look", shown: "A – M" },
  { keys: LETTERS, chord: "shift", command: "place-next", many: "letter", help: "key_place_next", group: "mark", shown: "⇧A – ⇧M" },
  { keys: ["."], command: "next-shortlisted", help: "key_next_shortlisted", group: "look" },
  { keys: [","], command: "previous-shortlisted", help: "key_next_shortlisted", group: "look" },
  { keys: ["Z"], where: "compare decide", command: "blink", hold: true, help: "key_blink", group: "look" },
  { keys: ["T"], where: "compare decide", command: "flicker", help: "key_flicker", group: "look" },
  { keys: ["O"], command: "next-source", help: "key_source", group: "look" },
  { keys: ["O"], chord: "shift", command: "previous-source", help: "key_source", group: "look" },
  { keys: ["N"], where: "grid compare", command: "next-point", help: "key_point", group: "look" },
  { keys: ["N"], where: "grid compare", chord: "shift", command: "previous-point", help: "key_point", group: "look" },
  { keys: ["R"], where: "compare decide", command: "crosshair", help: "key_crosshair", group: "look" },
  { keys: ["+", "="], where: "compare decide", command: "zoom-in", help: "key_zoom", group: "move", shown: "+" },
  { keys: ["-"], where: "compare decide", command: "zoom-out", help: "key_zoom", group: "move" },
  { keys: ["0"], where: "compare decide", command: "fit", help: "key_zoom", group: "move" },
  { keys: ["P"], where: "compare decide", command: "one-to-one", help: "key_pixels", group: "move" },
  { keys: ["P"], where: "compare decide", chord: "shift", command: "two-to-one", help: "key_pixels", group: "move" },
  { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], command: "arrow", many: "arrow", help: "key_pan", group: "move", shown: "← → ↑ ↓" },
  { keys: ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], chord: "shift", command: "arrow-far", many: "arrow", help: "key_pan", group: "move", shown: "⇧←" },
  { keys: ["1", "2", "3"], command: "place", many: "place", help: "key_place", group: "mark", shown: "1 2 3" },
  { keys: ["S"], command: "shortlist", help: "key_shortlist", group: "mark" },
  { keys: ["X"], command: "dismiss", help: "key_dismiss", group: "mark" },
  { keys: ["U"], command: "undo", help: "key_undo", group: "mark" },
  { keys: ["Y"], where: "decide", command: "yes", help: "key_yes_no", group: "mark" },
  { keys: ["N"], where: "decide", command: "no", help: "key_yes_no", group: "mark" },
  { keys: ["Enter"], command: "forward", help: "key_forward", group: "go" },
  { keys: ["Escape"], command: "back", typing: true, help: "key_back", group: "go", shown: "Esc" },
  { keys: ["Enter"], chord: "ctrl", command: "submit", typing: true, help: "key_submit", group: "go", shown: "Ctrl Enter" },
  { keys: ["Z"], chord: "ctrl", command: "reopen", help: "key_reopen", group: "go", shown: "Ctrl Z" },
  { keys: ["Q"], command: "break", help: "key_break", group: "go" },
  { keys: ["?"], command: "help", help: "key_help", group: "go" },
];

const TYPING = "input:not([type=radio], [type=checkbox]), textarea, select, [contenteditable]";
const PRESSED_BY_ENTER = "button, a, summary";
const CODES = { Period: ".", Comma: ",", Minus: "-", Equal: "=", NumpadAdd: "+", NumpadSubtract: "-" };

/** The Latin key of an event: what it types; on other alphabets and layouts, what stands at that place of a keyboard. */
export function latinKey(event) {
  const { key, code } = event;
  if (key.length > 1) return key;
  if (/^[a-z]$/i.test(key)) return key.toUpperCase();
  if (/^[0-9+=.,?-]$/.test(key)) return key;
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(code ?? "");
  if (digit && !event.shiftKey) return digit[1]; // the digits of an AZERTY keyboard
  if (key.charCodeAt(0) < 128) return key;
  const letter = /^Key([A-Z])$/.exec(code ?? "");
  return letter ? letter[1] : (CODES[code] ?? key);
}

function chordOf(event, key) {
  if (event.altKey) return "alt";
  if (event.ctrlKey || event.metaKey) return "ctrl";
  // A sign already says what Shift did to it; letters and arrows do not.
  return event.shiftKey && (/^[A-Z]$/.test(key) || key.startsWith("Arrow")) ? "shift" : undefined;
}

function isSingle(row) {
  return row.chord !== "ctrl" && row.keys[0].length === 1;
}

/** The row of the table that a key event means in this mode, with its key, or null. */
export function find(event, mode, singleKeysOn) {
  const key = latinKey(event);
  const chord = chordOf(event, key);
  const typing = event.target?.matches?.(TYPING) ?? false;
  if (key === "Enter" && !chord && event.target?.matches?.(PRESSED_BY_ENTER)) return null; // the button's own
  if (key.startsWith("Arrow") && event.target?.matches?.("input")) return null; // moves within a radio group
  const row = KEYMAP.find(
    (row) => row.keys.includes(key) && row.chord === chord && (row.where ?? mode).split(" ").includes(mode),
  );
  if (!row || (typing && !row.typing) || (isSingle(row) && !singleKeysOn)) return null;
  return { row, key };
}
