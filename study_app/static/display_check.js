// The display check: draws the patterns in device pixels and tells the server what the browser knows.
// The server judges; the marks on the page are only a help while one adjusts the window.
const form = document.getElementById('display-check');
const patterns = JSON.parse(form.dataset.patterns);
const smallest = [Number(form.dataset.width), Number(form.dataset.height)];
let keyboardSeen = false;

// Sizes are in rem, so that the patterns grow with the page; the raster is that of the device.
function canvasOf(id, widthInRem, heightInRem) {
  const canvas = document.getElementById(id);
  const ratio = window.devicePixelRatio;
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  canvas.width = Math.round(widthInRem * rem * ratio);
  canvas.height = Math.round(heightInRem * rem * ratio);
  canvas.style.width = `${canvas.width / ratio}px`;
  canvas.style.height = `${canvas.height / ratio}px`;
  const context = canvas.getContext('2d', { alpha: false });
  return { context, width: canvas.width, height: canvas.height };
}

function drawLines() {
  const { context, width, height } = canvasOf('lines', 21, 4.8);
  context.fillStyle = '#777';
  context.fillRect(0, 0, width, height);
  const gap = Math.round((width - height * patterns.upright.length) / (patterns.upright.length - 1));
  patterns.upright.forEach((isUpright, index) => {
    const left = index * (height + gap);
    for (let line = 0; line < height; line += 1) {
      context.fillStyle = line % 2 ? '#fff' : '#000';
      if (isUpright) context.fillRect(left + line, 0, 1, height);
      else context.fillRect(left, line, height, 1);
    }
  });
}

function drawField(id, levels, ground) {
  const { context, width, height } = canvasOf(id, 22, 4.6);
  context.fillStyle = `rgb(${ground}, ${ground}, ${ground})`;
  context.fillRect(0, 0, width, height);
  const cell = width / levels.length;
  const side = Math.round(cell * 0.56);
  levels.forEach((level, index) => {
    context.fillStyle = `rgb(${level}, ${level}, ${level})`;
    context.fillRect(Math.round(index * cell + (cell - side) / 2), Math.round((height - side) / 2), side, side);
  });
}

function draw() {
  drawLines();
  drawField('dark', patterns.dark, 0);
  drawField('bright', patterns.bright, 255);
}

const matches = (query) => window.matchMedia(query).matches;

function gamut() {
  for (const name of ['rec2020', 'p3', 'srgb']) if (matches(`(color-gamut: ${name})`)) return name;
  return 'unknown';
}

function pointer() {
  if (matches('(any-pointer: fine)')) return 'fine';
  return keyboardSeen ? 'keyboard' : 'none';
}

const scale = () => (window.visualViewport ? window.visualViewport.scale : 1);
const isFullScreen = () => matches('(display-mode: fullscreen)') || window.innerHeight >= window.screen.height;

function mark(id, holds) {
  const place = document.querySelector(`#${id} [data-mark]`);
  const word = form.querySelector(`[data-word="${holds ? 'yes' : 'no'}"]`).textContent;
  const sign = document.createElement('span');
  sign.setAttribute('aria-hidden', 'true');
  sign.textContent = holds ? '✓' : '✗';
  const said = document.createElement('span');
  said.className = 'visually-hidden';
  said.textContent = word;
  place.replaceChildren(sign, said);
}

function report() {
  const found = {
    viewport_width: window.innerWidth,
    viewport_height: window.innerHeight,
    screen_width: window.screen.width,
    screen_height: window.screen.height,
    dpr: window.devicePixelRatio.toFixed(4),
    scale: scale().toFixed(4),
    pointer: pointer(),
    gamut: gamut(),
    hdr: matches('(dynamic-range: high)') ? 'yes' : 'no',
    depth: window.screen.colorDepth,
    full_screen: isFullScreen() ? 'yes' : 'no',
  };
  for (const [name, value] of Object.entries(found)) form.elements[name].value = value;
  form.querySelector('[data-size]').textContent = `${window.innerWidth} × ${window.innerHeight}`;
  mark('finding-viewport', window.innerWidth >= smallest[0] && window.innerHeight >= smallest[1]);
  mark('finding-pointer', found.pointer !== 'none');
  mark('finding-scale', Math.abs(scale() - 1) < 0.01);
  mark('finding-full', isFullScreen());
}

function refresh() {
  draw();
  report();
}

window.addEventListener('resize', refresh);
window.visualViewport?.addEventListener('resize', report);
document.addEventListener('keydown', () => { keyboardSeen = true; report(); }, { once: true });
form.addEventListener('submit', report);
refresh();
