// The countdown of a forced break. The server decides when it is over; this only shows it.
const countdown = document.getElementById('countdown');

if (countdown) {
  // A moment of grace, so that the server agrees that the time is over.
  const over = performance.now() + Number(countdown.dataset.seconds) * 1000 + 300;
  const clock = countdown.querySelector('[data-clock]');
  const timer = setInterval(show, 250);

  function show() {
    const seconds = Math.max(0, Math.ceil((over - performance.now()) / 1000));
    clock.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
    if (seconds > 0) return;
    clearInterval(timer);
    countdown.hidden = true;
    document.querySelector('[data-over]').hidden = false;
    const next = document.querySelector('[data-continue]');
    next.hidden = false;
    if (document.activeElement === document.body) next.focus();
  }
  // A sleeping computer stops timers; look again when the page is seen again.
  document.addEventListener('visibilitychange', show);
  show();
}
