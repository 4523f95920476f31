// Requests to the study. Every answer comes back as { status, body, retryAfter }; status 0 means no connection.

const TIMEOUT_MS = 15000;
let token = document.querySelector("meta[name=csrf-token]").content;

async function answerOf(response) {
  const retryAfter = Number(response.headers.get("Retry-After")) || null;
  const isJson = response.headers.get("Content-Type")?.includes("json");
  return { status: response.status, body: isJson ? await response.json() : null, retryAfter };
}

export async function request(method, path, { body, headers = {}, keepalive = false } = {}) {
  const all = { Accept: "application/json", ...headers };
  if (method !== "GET") Object.assign(all, { "X-CSRFToken": token, "Content-Type": "application/json" });
  try {
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    return await answerOf(await fetch(path, { method, body, headers: all, keepalive, signal, cache: "no-store" }));
  } catch (error) {
    // fetch and the reading of its answer fail with these where the network does; anything else is a mistake of ours.
    if (error instanceof TypeError || error instanceof SyntaxError || error instanceof DOMException) {
      return { status: 0, body: null, retryAfter: null };
    }
    throw error;
  }
}

/** Read the page again for a token of the present session; false where there is none to be had. */
export async function renewToken() {
  try {
    const page = await fetch(location.href, { signal: AbortSignal.timeout(TIMEOUT_MS), cache: "no-store" });
    const found = new DOMParser().parseFromString(await page.text(), "text/html");
    const fresh = found.querySelector("meta[name=csrf-token]")?.content;
    if (!page.ok || !fresh || fresh === token) return false;
    token = fresh;
    return true;
  } catch (error) {
    if (error instanceof TypeError || error instanceof DOMException) return false;
    throw error;
  }
}

export const getTrial = (kind) => request("GET", kind === "training" ? "/api/trial?kind=training" : "/api/trial");
export const getNext = () => request("GET", "/api/trial/next");
export const reopen = () => request("POST", "/api/trials/reopen", { body: "{}" });
export const reportFault = (fault) => request("POST", "/api/faults", { body: JSON.stringify(fault) });
export const postVote = (key, body, keepalive = false) =>
  request("POST", "/api/votes", { body, keepalive, headers: { "Idempotency-Key": key } });
