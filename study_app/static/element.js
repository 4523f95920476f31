// Making elements in one line; text is always text, never markup.

/** An element with properties (dataset and aria-* included) and children. */
export function make(tag, { data = {}, aria = {}, ...properties } = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  Object.assign(element.dataset, data);
  for (const [name, value] of Object.entries(aria)) element.setAttribute(`aria-${name}`, value);
  element.append(...children);
  return element;
}

export const byId = (id) => document.getElementById(id);
