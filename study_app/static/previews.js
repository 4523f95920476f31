// Loading pictures so that a failure shows: each is tried three times, decoded, and then said to be there or missing.

const TRIES = 3;
const PAUSE_MS = 700;
const PREFETCHED_AT_ONCE = 3; // of the six connections that a browser opens: tiles need some too

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Load and decode `url` into the image element; resolves to whether it is there. */
export async function loadInto(image, url) {
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    image.src = url;
    try {
      await image.decode();
      return true;
    } catch (error) {
      if (!(error instanceof DOMException)) throw error;
      if (image.getAttribute("src") !== url) return false; // something newer took its place
      image.removeAttribute("src");
      if (attempt < TRIES) await pause(PAUSE_MS * attempt);
    }
  }
  return false;
}

let kept = []; // what nobody refers to, the browser may throw out of its memory

/** Fetch pictures of the next trial, PREFETCHED_AT_ONCE at a time, and keep them at hand until the next call. */
export async function prefetch(urls) {
  const waiting = [...urls];
  const images = (kept = []);
  const fetchAll = async () => {
    for (let url = waiting.shift(); url; url = waiting.shift()) {
      const image = new Image();
      images.push(image);
      image.fetchPriority = "low";
      image.src = url;
      await image.decode().catch(() => {}); // a failure here costs nothing: the trial itself will try again
    }
  };
  await Promise.all(Array.from({ length: PREFETCHED_AT_ONCE }, fetchAll));
}
