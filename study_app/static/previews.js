// Loading pictures so that a failure shows: each is tried three times, decoded, and then said to be there or missing.

const TRIES = 3;
const PAUSE_MS = 700;

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

/** Fetch pictures of the next trial into the browser's cache, one after the other, behind everything else. */
export async function prefetch(urls) {
  for (const url of urls) {
    const image = new Image();
    image.fetchPriority = "low";
    image.src = url;
    await image.decode().catch(() => {}); // a failure here costs nothing: the trial itself will try again
  }
}
