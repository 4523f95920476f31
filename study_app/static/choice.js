// What the rater has marked in one trial. Plain values: every change makes a new state, so undo is a list of old ones.

const EMPTY = Object.freeze({
  kind: "choice",
  places: Object.freeze([null, null, null]),
  shortlist: Object.freeze([]),
  dismissed: Object.freeze([]),
  acceptable: null,
  reasons: Object.freeze([]),
});

function toggled(list, value) {
  return list.includes(value) ? list.filter((other) => other !== value) : [...list, value].sort();
}

export class Choice {
  #states = [EMPTY];
  comment = "";

  get state() {
    return this.#states.at(-1);
  }

  #change(changes) {
    const next = { ...this.state, ...changes };
    // The question is about the first pick: another first pick has not been asked yet.
    if (next.places[0] !== this.state.places[0]) Object.assign(next, { acceptable: null, reasons: [] });
    this.#states = [...this.#states.slice(-99), Object.freeze(next)];
  }

  /** Take back the last change; false where there is none. */
  undo() {
    if (this.#states.length < 2) return false;
    this.#states = this.#states.slice(0, -1);
    return true;
  }

  /** Put a letter into place 0, 1 or 2; a letter that stood elsewhere changes places. Again takes it out. */
  place(letter, place) {
    const places = [...this.state.places];
    const before = places.indexOf(letter);
    if (before === place) places[place] = null;
    else {
      if (before >= 0) places[before] = places[place];
      places[place] = letter;
    }
    this.#change({ places, kind: "choice", dismissed: this.state.dismissed.filter((other) => other !== letter) });
  }

  clear(place) {
    this.#change({ places: this.state.places.map((letter, index) => (index === place ? null : letter)) });
  }

  /** Put a letter into the first free place; false where it already has one or none is free. */
  placeNext(letter) {
    const free = this.state.places.indexOf(null);
    if (free < 0 || this.state.places.includes(letter)) return false;
    this.place(letter, free);
    return true;
  }

  shortlist(letter) {
    const dismissed = this.state.dismissed.filter((other) => other !== letter);
    this.#change({ shortlist: toggled(this.state.shortlist, letter), dismissed });
  }

  dismiss(letter) {
    const shortlist = this.state.shortlist.filter((other) => other !== letter);
    this.#change({ dismissed: toggled(this.state.dismissed, letter), shortlist });
  }

  accept(acceptable) {
    this.#change({ acceptable, reasons: acceptable ? [] : this.state.reasons });
  }

  reason(name) {
    this.#change({ reasons: toggled(this.state.reasons, name) });
  }

  /** Switch between a choice and one of the other two answers; the same again goes back to the choice. */
  answerBy(kind) {
    this.#change({ kind: this.state.kind === kind ? "choice" : kind });
  }

  /** Name of the text that says what is missing, or null where the answer is whole. */
  missing() {
    const { kind, places, acceptable } = this.state;
    if (kind !== "choice") return null;
    if (!places[0]) return "todo_place_1";
    if (places[2] && !places[1]) return "todo_gap";
    return acceptable === null ? "todo_acceptable" : null;
  }

  /** The fields of the vote; what belongs to a choice is left out of the other answers. */
  vote() {
    const { kind, places, acceptable, reasons } = this.state;
    const comment = this.comment
      .trim()
      .replaceAll("\0", "")
      .replace(/[\ud800-\udfff]/gu, "\ufffd");
    if (kind !== "choice") return { kind, picks: [], acceptable: null, reasons: [], comment };
    return { kind, picks: places.filter(Boolean), acceptable, reasons: acceptable ? [] : [...reasons], comment };
  }

  /** As plain data, to survive a reload; `restore` reads it and the server's `previous` alike. */
  saved() {
    return { ...this.state, comment: this.comment };
  }

  restore({
    kind = "choice",
    picks,
    places,
    acceptable = null,
    reasons = [],
    comment = "",
    shortlist = [],
    dismissed = [],
  }) {
    const filled = places ?? [0, 1, 2].map((place) => picks?.[place] ?? null);
    this.#states = [Object.freeze({ kind, places: filled, acceptable, reasons, shortlist, dismissed })];
    this.comment = comment;
  }
}
