// A form marked data-once is sent once: an impatient second click would make a second rater.
for (const form of document.querySelectorAll('form[data-once]')) {
  form.addEventListener('submit', () => {
    for (const button of form.querySelectorAll('button')) button.disabled = true;
  });
}
// Coming back with the browser's own "back" shows the page as it was left: make the button usable again.
window.addEventListener('pageshow', () => {
  for (const button of document.querySelectorAll('form[data-once] button')) button.disabled = false;
});
