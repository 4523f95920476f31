// The texts of the screen: one JSON block of the page, so that gettext translates them with the rest.

const texts = JSON.parse(document.getElementById("words").textContent);

/** The text `name` with its {placeholders} filled in. */
export function say(name, values = {}) {
  const text = texts[name] ?? name;
  return text.replace(/\{(\w+)\}/g, (whole, key) => (key in values ? String(values[key]) : whole));
}
