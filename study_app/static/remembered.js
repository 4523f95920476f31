// What the browser remembers: settings for good, the marks of a trial for as long as the tab lives.
// Storage may be refused (private windows); then it is forgotten with the page, and nothing else changes.

function store(open) {
  const guarded = (use) => {
    try {
      return use(open());
    } catch (error) {
      if (error instanceof DOMException) return null;
      throw error;
    }
  };
  return {
    get: (name) => guarded((storage) => storage.getItem(name)),
    set: (name, value) => guarded((storage) => storage.setItem(name, value)),
    remove: (name) => guarded((storage) => storage.removeItem(name)),
  };
}

export const remembered = store(() => localStorage);
export const drafts = store(() => sessionStorage);
