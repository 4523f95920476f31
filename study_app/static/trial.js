// The page of trials: takes a trial from the server, shows it, keeps the vote until it is saved, takes the next.

import * as api from "./api.js";
import { listen } from "./commands.js";
import { ask, Help } from "./dialogs.js";
import { byId } from "./element.js";
import { Outbox, waitBefore } from "./outbox.js";
import { prefetch } from "./previews.js";
import { drafts, remembered } from "./remembered.js";
import { Screen } from "./screen.js";
import { Tabs } from "./tabs.js";
import { say } from "./words.js";

const KIND = location.pathname.startsWith("/training") ? "training" : "trial";
const screen = new Screen();
const help = new Help();
const outbox = new Outbox();
const tabs = new Tabs();
let state = "loading"; // loading | rating | saving | feedback | resting

// ---- taking a trial

const PATIENCE_MS = 400; // what is over sooner needs no words, and a flash of them would only disturb
let waitingTimer = null;

function showWaiting(text) {
  clearTimeout(waitingTimer);
  const draw = () => (byId("waiting").textContent = text);
  if (text && !byId("waiting").textContent) waitingTimer = setTimeout(draw, PATIENCE_MS);
  else draw();
}

const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));

/** Ask until the server answers; only "no such session" and the like end it. */
async function insist(request) {
  for (let tries = 1; ; tries++) {
    const answer = await request();
    if (answer.status === 401) return linkAgain();
    if (answer.status && answer.status < 500 && answer.status !== 429) return answer;
    showWaiting(say("no_connection"));
    await pause(waitBefore(tries, answer.retryAfter));
  }
}

async function takeTrial() {
  state = "loading";
  showWaiting(say("loading_scene"));
  await outbox.emptied(); // else the server would offer again what is answered already
  const { status, body } = await insist(() => api.getTrial(KIND));
  if (status !== 200) return reloadNeeded();
  if (body.next === location.pathname) await pause(1); // taken by somebody else just now; there will be another
  return body.next ? goOn(body.next) : show(body);
}

/** Go where the server says; the next trial needs no new page, and no request where it came with the answer. */
function goOn(path, trial = null) {
  if (trial && path === location.pathname) return show(trial);
  if (!path || path === location.pathname) return takeTrial();
  if (/^\/[a-z-]*$/.test(path)) location.assign(path); // a page of ours; anything else is not followed
  return undefined;
}

const draftName = ({ assignment, version }) => `draft.${assignment}.${version}`;

async function show(trial) {
  const kept = drafts.get(draftName(trial));
  const heading = { training: "training_of", adjudication: "adjudication_of" }[trial.kind] ?? "scene_of";
  byId("where").textContent = say(heading, trial);
  byId("feedback").hidden = true;
  byId("answer").hidden = false;
  screen.hush();
  const loading = screen.load(trial, kept ? JSON.parse(kept) : trial.previous);
  state = "rating";
  showWaiting("");
  drawHint();
  if (trial.previous) screen.tell(say("todo_saved_once"));
  await loading;
}

let prefetched = null;

/** When this scene is all there, bring the previews of the next into the cache. */
async function lookAhead() {
  const { assignment } = screen.scene;
  if (prefetched === assignment || screen.grid.loaded < screen.grid.total) return;
  prefetched = assignment;
  const { status, body } = await api.getNext();
  if (status !== 200) return;
  await prefetch(screen.grid.urls(body.previews ?? [], body.exposures ?? []));
}

// ---- giving the answer

async function submit() {
  if (state !== "rating" || screen.choice.missing() || screen.locked) return; // also the second of a double click
  state = "saving";
  byId("submit").disabled = true;
  const { assignment, version } = screen.scene;
  const vote = {
    assignment,
    version,
    ...screen.choice.vote(),
    client_at: new Date().toISOString(),
    behaviour: screen.behaviour.record(),
  };
  showWaiting(say("saving"));
  const answer = await outbox.put(vote);
  drafts.remove(draftName(screen.scene));
  await answered(answer);
}

async function answered({ status, body }) {
  showWaiting("");
  if (status === 409) await tellConflict(body?.stored);
  else if (status !== 200 && status !== 201)
    await ask(say("refused"), body?.error ?? "", [{ text: say("go_on"), value: "on" }]);
  else if (body.feedback) return showFeedback(body);
  await goOn(body?.next, body?.trial);
  return undefined;
}

function tellConflict(stored) {
  const picks = (stored?.picks ?? []).join(", ");
  const answer = say(`answer_${stored?.kind ?? "choice"}`, { picks });
  return ask(say("conflict"), say("conflict_detail", { answer }), [{ text: say("go_on"), value: "on" }]);
}

async function reopen() {
  if (state !== "rating") return;
  const answer = await api.reopen();
  if (answer.status === 200 && answer.body.assignment) await show(answer.body).then(() => screen.setMode("decide"));
  else if (answer.status === 401) await linkAgain();
  else screen.tell(answer.status === 0 ? say("no_connection") : say("nothing_to_reopen"));
}

// ---- training

let lesson = null;

function showFeedback(body) {
  state = "feedback";
  lesson = { ...body.feedback, next: body.next, chosen: screen.choice.state.places[0] };
  byId("answer").hidden = true;
  byId("feedback").hidden = false;
  byId("verdict").textContent = say(lesson.right ? "training_right" : "training_wrong");
  byId("feedback-text").textContent = lesson.text;
  byId("feedback-tools").hidden = !lesson.at;
  const other = lesson.chosen && lesson.chosen !== lesson.letter;
  byId("show-chosen").parentElement.hidden = !other;
  byId("show-chosen").textContent = other ? say("show_chosen", { letter: lesson.chosen }) : "";
  screen.setMode("decide");
  if (lesson.at) showFault();
  document.querySelector("[data-command=go-on]").focus();
}

function showFault() {
  screen.show(lesson.letter);
  screen.goTo(lesson.at);
}

// ---- telling people

let savedAt = null;

function drawSaved() {
  const { count } = outbox;
  const waiting = count && say(count === 1 ? "waiting_one" : "waiting_many", { count });
  byId("saved").textContent = waiting || (savedAt ? say("saved_at", { time: savedAt }) : "");
  byId("saved").classList.toggle("waits", count > 0);
}

function drawHint() {
  const name = KIND === "training" ? "hint_training" : screen.mode === "grid" ? "hint_grid" : "hint_compare";
  byId("hint-text").textContent = say(name);
  byId("hint").dataset.name = name;
  byId("hint").hidden = remembered.get(`study.${name}`) === "seen" || screen.mode === "decide";
}

async function linkAgain() {
  state = "resting";
  showWaiting("");
  await ask(say("link_again"), say("link_again_detail"), []);
  return new Promise(() => {}); // nothing goes on here; the link opens a new page
}

async function reloadNeeded() {
  await ask(say("reload"), say("reload_detail"), [{ text: say("reload"), value: "reload" }]);
  location.reload();
}

async function rest(text, detail) {
  state = "resting";
  if ((await ask(text, detail, [{ text: say("use_this_tab"), value: "take" }])) !== "take") return;
  tabs.take();
  location.reload(); // the other tab may have answered meanwhile: start from what the server knows
}

async function takeBreak() {
  const buttons = [
    { text: say("break_yes"), value: "yes" },
    { text: say("break_no"), value: "no" },
  ];
  if ((await ask(say("break_ask"), "", buttons, { canEscape: true })) === "yes") byId("break-form").submit();
}

// ---- wiring

let faults = 0;
const MOST_FAULTS = 20; // of a trial; the server takes no more either

screen.addEventListener("fault", ({ detail: { id, what } }) => {
  if (faults++ < MOST_FAULTS) api.reportFault({ assignment: screen.scene.assignment, image: id, what });
});
screen.addEventListener("marked", () => {
  if (state === "rating") drafts.set(draftName(screen.scene), JSON.stringify(screen.choice.saved()));
});
screen.addEventListener("submit", submit);
addEventListener("online", () => screen.scene && screen.retry());
screen.addEventListener("mode", drawHint);
screen.lock.addEventListener("change", lookAhead);
outbox.addEventListener("change", drawSaved);
outbox.addEventListener("saved", () => {
  savedAt = new Date().toTimeString().slice(0, 8);
  drawSaved();
});
outbox.addEventListener("refused", ({ detail: { isOurs } }) => isOurs || screen.tell(say("refused_earlier")));
outbox.addEventListener("held", ({ detail: { status } }) => {
  if (status === 401) linkAgain();
  else if (status === 403) reloadNeeded();
  else if (state === "saving") showWaiting(say(outbox.isKept ? "not_saved_yet" : "not_kept"));
});
tabs.addEventListener("other", () => rest(say("other_tab"), say("other_tab_detail")));
tabs.addEventListener("taken", () => rest(say("rests"), say("other_tab_detail")));

const crosshair = byId("crosshair");
byId("stage-room").addEventListener("pointermove", ({ clientX, clientY }) => {
  const { left, top } = crosshair.parentElement.getBoundingClientRect();
  crosshair.style.setProperty("--x", `${Math.round((clientX - left) * devicePixelRatio) / devicePixelRatio}px`);
  crosshair.style.setProperty("--y", `${Math.round((clientY - top) * devicePixelRatio) / devicePixelRatio}px`);
});

listen(
  screen,
  help,
  {
    submit,
    reopen,
    break: takeBreak,
    "show-fault": showFault,
    "show-chosen": () => screen.show(lesson.chosen),
    "go-on": () => goOn(lesson.next),
    forward: () =>
      state === "feedback" ? goOn(lesson.next) : screen.setMode(screen.mode === "grid" ? "compare" : "decide"),
    "dismiss-hint": () => (remembered.set(`study.${byId("hint").dataset.name}`, "seen"), (byId("hint").hidden = true)),
  },
  () => state !== "rating" && state !== "feedback",
);

window.study = { screen, outbox }; // for the tests, and for whoever must look into a rater's trouble

tabs.open();
await outbox.open();
drawSaved();
const first = JSON.parse(byId("trial").textContent);
if (first && !outbox.count) await show(first);
else await takeTrial(); // what still waits here may be the answer to the trial that came with the page
