// The experimenter's pages work without this file; it keeps them fresh, sorts tables, copies links and asks twice.

const POLL_MS = 5000;

// ---- parts of a page that follow the study: <div data-poll="URL" data-tag="ETAG"> ----

async function refresh(part) {
  if (document.hidden || part.contains(document.activeElement)) return;
  const headers = { "X-Fragment": "1", "If-None-Match": part.dataset.tag };
  const answer = await fetch(part.dataset.poll, { headers, cache: "no-store", credentials: "same-origin" });
  if (answer.status === 401) return location.reload();
  if (answer.status === 304) return;
  if (!answer.ok) throw new Error(`status ${answer.status}`);
  const open = [...part.querySelectorAll("details[open]")].map((one) => one.dataset.keep);
  part.innerHTML = await answer.text();
  part.dataset.tag = answer.headers.get("ETag");
  for (const one of part.querySelectorAll("details")) one.open = open.includes(one.dataset.keep);
  enliven(part);
}

async function keepFresh(part) {
  const stale = document.getElementById("stale");
  try {
    await refresh(part);
    if (stale) stale.hidden = true;
  } catch {
    // The network or the server is away: say so, the figures on the screen are old. The next turn tries again.
    if (stale) stale.hidden = false;
  }
  setTimeout(() => keepFresh(part), POLL_MS);
}

// ---- tables whose columns sort: <th data-sort> ----

function sortTable(header) {
  const table = header.closest("table");
  const column = [...header.parentNode.children].indexOf(header);
  const down = header.getAttribute("aria-sort") !== "descending";
  for (const other of header.parentNode.children) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => row.children[column].dataset.value ?? row.children[column].textContent.trim();
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const compare = (a, b) => {
    const [x, y] = [key(a), key(b)];
    const difference = x !== "" && y !== "" && !isNaN(x) && !isNaN(y) ? x - y : order(x, y);
    return down ? -difference : difference;
  };
  const body = table.tBodies[0];
  body.append(...[...body.rows].sort(compare));
}

function addSorter(header) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "sorter";
  button.append(...header.childNodes);
  header.append(button);
  button.addEventListener("click", () => sortTable(header));
}

// ---- links to copy ----

async function copyLink(button) {
  const field = button.parentNode.querySelector("[data-copy]");
  field.select();
  if (navigator.clipboard) await navigator.clipboard.writeText(field.value);
  else document.execCommand("copy"); // plain http has no clipboard API
  button.textContent = "Copied";
}

function enliven(root) {
  root.querySelectorAll("th[data-sort]").forEach(addSorter);
  root.querySelectorAll("[data-copy-button]").forEach((one) => one.addEventListener("click", () => copyLink(one)));
  root.querySelectorAll("form[data-confirm]").forEach((form) =>
    form.addEventListener("submit", (event) => {
      if (!confirm(form.dataset.confirm)) event.preventDefault();
    }),
  );
}

enliven(document);
document.querySelectorAll("[data-poll]").forEach((part) => setTimeout(() => keepFresh(part), POLL_MS));
