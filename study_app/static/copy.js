// Buttons that copy a text. The clipboard exists on secure pages only; elsewhere the button stays away.
if (navigator.clipboard) {
  for (const button of document.querySelectorAll('[data-copy]')) {
    button.hidden = false;
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent.trim());
      button.parentElement.querySelector('[data-copied]').hidden = false;
    });
  }
}
