// Geometry in device pixels. A picture can be judged only where its pixels meet those of the screen.

/** The smallest number of CSS pixels that is a whole number of device pixels: 1 at scale 1 or 2, 4 at scale 1.25. */
export function quantum(scale = devicePixelRatio) {
  for (let css = 1; css <= 20; css++) {
    const device = css * scale;
    if (Math.abs(device - Math.round(device)) < 1e-3) return css;
  }
  return 1;
}

/** Round a CSS length down to whole device pixels. */
export function floorToDevice(length, scale = devicePixelRatio) {
  return Math.floor(length * scale + 1e-6) / scale;
}

/**
 * Place an element over its parent so that both its corner and its size are whole device pixels.
 * They are multiples of the quantum, for layout counts in 64ths of a CSS pixel and would miss any other place by a bit,
 * which is enough for the browser to interpolate.
 */
export function fillExactly(element) {
  const step = quantum();
  const room = element.parentElement.getBoundingClientRect();
  const inset = (start) => Math.ceil((start - 0.01) / step) * step - start;
  const [left, top] = [inset(room.left), inset(room.top)];
  element.style.left = `${left}px`;
  element.style.top = `${top}px`;
  element.style.width = `${Math.floor((room.width - left) / step) * step}px`;
  element.style.height = `${Math.floor((room.height - top) / step) * step}px`;
}

/**
 * Columns, rows and picture size (CSS pixels, whole on the device) that show `count` pictures largest.
 * For thirteen landscape pictures and the exposures on a wide screen that is 5 x 3; upright ones get more columns.
 */
export function bestGrid(count, aspect, width, height, gaps, scale = devicePixelRatio) {
  let best = null;
  for (let columns = 1; columns <= count; columns++) {
    const rows = Math.ceil(count / columns);
    const cellWidth = (width - gaps.columns * (columns - 1)) / columns;
    const cellHeight = (height - gaps.rows * (rows - 1)) / rows - gaps.caption;
    const pictureWidth = Math.min(cellWidth, cellHeight * aspect);
    if (best && pictureWidth < best.pictureWidth - 0.5) continue; // of equals the wider: fewer rows
    best = { columns, rows, pictureWidth };
  }
  const pictureWidth = floorToDevice(best.pictureWidth, scale);
  return {
    columns: best.columns,
    rows: best.rows,
    pictureWidth,
    pictureHeight: Math.round((pictureWidth / aspect) * scale) / scale,
  };
}
