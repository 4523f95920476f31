// Votes wait here, on the disk of the browser, until the server has said that it keeps them.
// An entry goes only after 200 or 201. The key makes sending it twice harmless.

import { postVote, renewToken } from "./api.js";

const STORE = "votes";
const FIRST_WAIT = 0.5;
const LONGEST_WAIT = 30;
const FINAL = new Set([400, 404, 409, 413, 422]); // sending the same again cannot help

/** A random UUID of version 4; crypto.randomUUID is missing where a lab serves plain http. */
export function uuid4() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Seconds before try number `tries` (1 is the first repetition): doubling, with jitter, at least what the server asks. */
export function waitBefore(tries, retryAfter, random = Math.random()) {
  const step = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (tries - 1));
  const jittered = Math.max(FIRST_WAIT, step * (0.5 + random / 2));
  return Math.max(jittered, Math.min(retryAfter ?? 0, 60));
}

function promised(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** The entries on disk; in memory alone where the browser offers no disk (`isKept` is false then). */
class Shelf {
  #database = null;
  #memory = new Map();

  async open() {
    try {
      const request = indexedDB.open("study-outbox", 1);
      request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: "key" });
      this.#database = await promised(request);
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
    }
    return this;
  }

  get isKept() {
    return this.#database !== null;
  }

  #store(mode, durability = "strict") {
    return this.#database.transaction(STORE, mode, { durability }).objectStore(STORE);
  }

  async put(entry) {
    if (!this.#database) return void this.#memory.set(entry.key, entry);
    const store = this.#store("readwrite");
    store.put(entry);
    await new Promise((resolve, reject) => {
      store.transaction.oncomplete = resolve; // on disk, not only asked for
      store.transaction.onabort = store.transaction.onerror = () => reject(store.transaction.error);
    });
  }

  async remove(key) {
    // Without waiting for the disk: an entry that comes back is sent once more, and the server knows it.
    if (this.#database) await promised(this.#store("readwrite", "relaxed").delete(key));
    else this.#memory.delete(key);
  }

  async waiting() {
    const all = this.#database ? await promised(this.#store("readonly").getAll()) : [...this.#memory.values()];
    return all.filter((entry) => !entry.refused).sort((a, b) => a.madeAt - b.madeAt);
  }
}

export class Outbox extends EventTarget {
  #shelf = new Shelf();
  #entries = []; // what waits, as last read: pagehide has no time to ask the disk
  #tries = 0;
  #wake = null;
  #results = new Map(); // key -> function that hears the server's last word
  #running = false;

  /** Open the shelf, start sending what an earlier page left, and keep sending. */
  async open() {
    await this.#shelf.open();
    await this.#reread();
    addEventListener("pagehide", () => this.#lastTry());
    addEventListener("online", () => this.#wake?.());
    this.#run();
    return this;
  }

  get isKept() {
    return this.#shelf.isKept;
  }

  get count() {
    return this.#entries.length;
  }

  /** Keep a vote and send it; resolves with the server's final answer, however long that takes. */
  async put(body) {
    const entry = { key: uuid4(), body: JSON.stringify(body), madeAt: Date.now(), refused: null };
    const answered = new Promise((resolve) => this.#results.set(entry.key, resolve));
    await this.#shelf.put(entry);
    await this.#reread();
    this.#tries = 0;
    this.#wake?.();
    this.#run();
    return answered;
  }

  /** Resolves when nothing waits any more. */
  async emptied() {
    while (this.count) await new Promise((resolve) => this.addEventListener("change", resolve, { once: true }));
  }

  async #reread() {
    this.#entries = await this.#shelf.waiting();
    this.dispatchEvent(new Event("change"));
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    while (this.#entries.length) {
      const answer = await this.#send(this.#entries[0]);
      if (answer) await this.#pause(waitBefore(++this.#tries, answer.retryAfter));
    }
    this.#running = false;
  }

  async #send(entry) {
    const answer = await postVote(entry.key, entry.body);
    if (answer.status === 403 && (await renewToken())) return this.#send(entry);
    const isSaved = answer.status === 200 || answer.status === 201;
    if (!isSaved && !FINAL.has(answer.status)) {
      this.dispatchEvent(new CustomEvent("held", { detail: answer }));
      return answer;
    }
    this.#tries = 0;
    const isOurs = this.#results.has(entry.key); // else of an earlier page, or of somebody else at this browser
    this.#results.get(entry.key)?.(answer); // the rater goes on while this is tidied up
    this.#results.delete(entry.key);
    if (isSaved) await this.#shelf.remove(entry.key);
    else await this.#shelf.put({ ...entry, refused: answer }); // kept for whoever is asked about it, not sent again
    await this.#reread();
    this.dispatchEvent(new CustomEvent(isSaved ? "saved" : "refused", { detail: { isOurs } }));
    return null;
  }

  async #pause(seconds) {
    await new Promise((resolve) => {
      const timer = setTimeout(resolve, seconds * 1000);
      this.#wake = () => (clearTimeout(timer), resolve());
    });
    this.#wake = null;
  }

  #lastTry() {
    // Nobody will read the answer: the entry stays, and the next page learns that the server has it.
    for (const entry of this.#entries) postVote(entry.key, entry.body, true);
  }
}
