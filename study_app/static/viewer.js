// All pictures of a scene in one deep-zoom viewer, one on top of the other; opacity says which is seen.
// One viewport serves all, so a switch cannot move the view, and needs no request when the tiles are there.

import { byId } from "./element.js";
import { fillExactly } from "./pixels.js";

const RETRY_MS = 2000;
const PAN_STEP = 0.1;
const PAN_FAR = 0.5;

// OpenSeadragon adds a <style> for phones, which our policy forbids, unless it finds one. It asks by name only,
// so an element of that name from no namespace is enough, and is none to the browser.
const decoy = document.createElementNS("urn:contrast-foundry:decoy", "style");
decoy.setAttribute("data-openseadragon-mobile-css", "true");
document.head.append(decoy);

let OpenSeadragon = null;

/** Run the library, which the page has fetched by now: only a look closer needs it, all pictures side by side do not. */
async function takeLibrary() {
  while (!window.OpenSeadragon) {
    const script = document.createElement("script");
    const isThere = new Promise((resolve) => {
      script.onload = () => resolve(true);
      script.onerror = () => resolve(false);
    });
    script.src = byId("library").href;
    document.head.append(script);
    if (!(await isThere)) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
  }
  OpenSeadragon = window.OpenSeadragon;
}

const OPTIONS = {
  drawer: "canvas", // WebGL contexts are few and get lost
  preload: false, // set per picture, in the order of need
  blendTime: 0,
  animationTime: 0.2,
  immediateRender: true,
  imageLoaderLimit: 6,
  maxImageCacheCount: 2000,
  maxZoomPixelRatio: 4,
  minPixelRatio: 0.5, // the level drawn is the one at or above the screen's pixels: never an enlarged one below 100 %
  smoothTileEdgesMinZoom: Infinity, // would draw through a second canvas and shift the pixels
  minZoomImageRatio: 0.1, // of a small picture on a large screen, 1:1 is but a part
  visibilityRatio: 0.4,
  preserveImageSizeOnResize: true,
  tileRetryMax: 2,
  tileRetryDelay: 800,
  showNavigationControl: false,
  keyboardNavEnabled: false,
  gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false },
  gestureSettingsTouch: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false },
  gestureSettingsPen: { clickToZoom: false, dblClickToZoom: false, flickEnabled: false },
  zoomPerScroll: 1.25,
  zoomPerClick: 1,
};

function tileSource(id, scene) {
  const side = Math.max(scene.width, scene.height);
  const maxLevel = Math.ceil(Math.log2(side));
  const oneTile = Math.max(0, maxLevel - Math.ceil(Math.log2(Math.max(1, side / scene.tile_size))));
  return {
    width: scene.width,
    height: scene.height,
    tileSize: scene.tile_size,
    tileOverlap: scene.overlap,
    minLevel: oneTile, // smaller levels would only be more requests
    maxLevel,
    getTileUrl: (level, x, y) => `/p/${id}/${level}/${x}_${y}.jpg`,
  };
}

/** Events: "view" (zoom or place changed), "sharpness" (of the shown picture), "failed" (detail: layer). */
export class Stack extends EventTarget {
  #viewer = null; // made with the first scene
  #scene = null;
  #layers = []; // { name, id, image }: letters first, then exposures
  #shown = null;
  #before = null;
  #wanted = null; // asked for before it was there
  #generation = 0;
  #wasSharp = null;
  #making = null;
  #isFitted = true; // until the rater zooms or moves: then a change of the window keeps what they chose
  failed = new Set();

  constructor(element, isStill) {
    super();
    this.isStill = isStill; // () => whether the rater asked for reduced motion
    this.element = element;
    fillExactly(element);
  }

  async #make() {
    await takeLibrary();
    this.#viewer = OpenSeadragon({ element: this.element, ...OPTIONS });
    this.#viewer.canvas.tabIndex = -1; // keys are the page's; see keymap.js
    this.#viewer.addHandler("viewport-change", () => this.#moved());
    this.#viewer.addHandler("animation-finish", () => this.#snap());
    this.#viewer.addHandler("tile-load-failed", (event) => this.#tileFailed(event));
    this.#viewer.addHandler("resize", () => (this.#isFitted ? this.fit(true) : this.#snap()));
    for (const own of ["canvas-drag", "canvas-scroll", "canvas-pinch"]) {
      this.#viewer.addHandler(own, () => (this.#isFitted = false));
    }
  }

  get #viewport() {
    return this.#viewer.viewport;
  }

  /** Let go of the last scene: none of its tiles may stand in the way of the next one's pictures. */
  clear() {
    this.#generation += 1;
    this.#layers = [];
    this.#shown = this.#before = this.#wanted = null;
    this.failed.clear();
    this.#viewer?.imageLoader.clear();
    this.#viewer?.world.removeAll();
  }

  /** Show another scene: `layers` are { name, id }. Resolves when the viewer knows them all. */
  async load(scene, layers) {
    const generation = this.#generation;
    this.#making ??= this.#make();
    await this.#making;
    if (generation !== this.#generation) return;
    this.#scene = scene;
    const added = layers.map((layer) => this.#add(layer, scene));
    const loaded = await Promise.all(added);
    if (generation !== this.#generation) return;
    this.#layers = loaded;
    this.fit(true);
    this.show(this.#wanted ?? layers[0].name);
    this.#before = null;
  }

  #add(layer, scene) {
    return new Promise((resolve, reject) => {
      this.#viewer.addTiledImage({
        tileSource: tileSource(layer.id, scene),
        x: 0,
        y: 0,
        width: 1,
        opacity: 0,
        preload: false,
        success: ({ item }) => {
          item.addHandler("fully-loaded-change", () => this.#advance());
          resolve({ ...layer, image: item });
        },
        error: ({ message }) => reject(new Error(message)),
      });
    });
  }

  #layer(name) {
    return this.#layers.find((layer) => layer.name === name);
  }

  get shown() {
    return this.#shown?.name ?? null;
  }

  get before() {
    return this.#before?.name ?? null;
  }

  get isSharp() {
    return this.#shown?.image.getFullyLoaded() ?? false;
  }

  /** Bring a layer to the front at once, in the same place. A passing look does not become "the one before". */
  show(name, { passing = false } = {}) {
    const next = this.#layer(name);
    if (!this.#layers.length) this.#wanted = name;
    if (!next || next === this.#shown) return;
    const old = this.#shown;
    next.image.setOpacity(1);
    old?.image.setOpacity(0);
    this.#shown = next;
    if (!passing && old) this.#before = old;
    this.#advance();
  }

  // Tiles of the shown picture come first, then of its neighbours, then of the other candidates, then of the exposures.
  #advance() {
    if (!this.#shown) return;
    const at = this.#layers.indexOf(this.#shown);
    const near = [at + 1, at - 1]
      .map((index) => this.#layers[index])
      .concat(this.#before ?? [])
      .filter(Boolean);
    const letters = this.#layers.filter((layer) => layer.name.length === 1);
    let wanted = [this.#shown];
    for (const more of [near, letters, this.#layers]) {
      if (!wanted.every(({ image }) => image.getFullyLoaded())) break;
      wanted = more.concat(wanted);
    }
    for (const layer of this.#layers) {
      const should = wanted.includes(layer);
      if (layer.image.getPreload() !== should) layer.image.setPreload(should);
    }
    if (this.isSharp === this.#wasSharp) return;
    this.#wasSharp = this.isSharp;
    this.dispatchEvent(new Event("sharpness"));
  }

  #tileFailed({ tiledImage, maxReached }) {
    const layer = this.#layers.find(({ image }) => image === tiledImage);
    if (!layer || !maxReached || this.failed.has(layer.name)) return;
    this.failed.add(layer.name);
    this.dispatchEvent(new CustomEvent("failed", { detail: layer }));
  }

  /** Load a failed layer again. */
  retry(name) {
    this.failed.delete(name);
    this.#layer(name)?.image.reset();
    this.#viewer?.forceRedraw();
  }

  // ---- view

  get #any() {
    return this.#viewer?.world.getItemAt(0);
  }

  /** Device pixels per picture pixel. */
  get zoom() {
    return this.#any ? this.#any.viewportToImageZoom(this.#viewport.getZoom(true)) * devicePixelRatio : 1;
  }

  /** The visible part as { x, y, width, height }, in shares of the picture's width and height. */
  get window() {
    const { x, y, width, height } = this.#viewport.getBounds(true);
    const tall = this.#scene.height / this.#scene.width;
    return { x, y: y / tall, width, height: height / tall };
  }

  #zoomTo(deviceZoom, immediately = this.isStill()) {
    this.#isFitted = false;
    this.#viewport.zoomTo(this.#any.imageToViewportZoom(deviceZoom / devicePixelRatio), null, immediately);
    this.#viewport.applyConstraints(immediately);
    if (immediately) this.#snap();
  }

  /** The whole picture; one smaller than the screen is enlarged by a whole number, so that it stays true. */
  fit(immediately = this.isStill()) {
    if (!this.#any) return;
    const room = this.#viewport.getContainerSize().times(devicePixelRatio);
    const exact = Math.min(room.x / this.#scene.width, room.y / this.#scene.height);
    const centre = new OpenSeadragon.Point(0.5, this.#scene.height / this.#scene.width / 2);
    this.#viewport.panTo(centre, immediately);
    this.#zoomTo(exact >= 1 ? Math.min(4, Math.floor(exact)) : exact, immediately);
    this.#isFitted = true;
  }

  pixels(perPixel) {
    if (this.#any) this.#zoomTo(perPixel);
  }

  zoomBy(factor) {
    if (!this.#any) return;
    this.#isFitted = false;
    this.#viewport.zoomBy(factor, null, this.isStill());
    this.#viewport.applyConstraints(this.isStill());
    if (this.isStill()) this.#snap();
  }

  /** Move by a share of the screen: `dx`, `dy` are -1, 0 or 1. */
  pan(dx, dy, isFar) {
    if (!this.#any) return;
    this.#isFitted = false;
    const { width, height } = this.#viewport.getBounds();
    const step = isFar ? PAN_FAR : PAN_STEP;
    this.#viewport.panBy(new OpenSeadragon.Point(dx * step * width, dy * step * height), this.isStill());
    this.#viewport.applyConstraints(this.isStill());
    if (this.isStill()) this.#snap();
  }

  /** Put a point of the picture (shares of width and height) into the middle, at least at `deviceZoom`. */
  goTo([x, y], deviceZoom = 0) {
    if (!this.#any) return;
    const point = new OpenSeadragon.Point(x, (y * this.#scene.height) / this.#scene.width);
    this.#viewport.panTo(point, this.isStill());
    this.#zoomTo(Math.max(deviceZoom, this.zoom));
  }

  #moved() {
    if (!this.#any) return;
    const isEnlarged = this.zoom > 0.9999;
    if (this.isEnlarged !== isEnlarged) this.#viewer.drawer.setImageSmoothingEnabled(!isEnlarged);
    this.isEnlarged = isEnlarged;
    this.#advance();
    this.dispatchEvent(new Event("view"));
  }

  // From 100 % on, lay the picture's corner on a corner of a device pixel: else a row of pixels is doubled or lost.
  #snap() {
    if (!this.#any || this.zoom < 0.9999) return;
    const corner = this.#viewport.pixelFromPoint(new OpenSeadragon.Point(0, 0), true).times(devicePixelRatio);
    const off = corner.minus(new OpenSeadragon.Point(Math.round(corner.x), Math.round(corner.y)));
    if (Math.hypot(off.x, off.y) < 1e-6) return;
    this.#viewport.panBy(this.#viewport.deltaPointsFromPixels(off.divide(devicePixelRatio), true), true);
  }

  /** Fit the viewer to its room after the window changed. */
  resize() {
    fillExactly(this.element);
  }

  // ---- for the tests

  get names() {
    return this.#layers.map(({ name }) => name);
  }

  /** Where every layer's corner lies, in CSS pixels of the stage: switching must not move it. */
  corners() {
    const origin = new OpenSeadragon.Point(0, 0);
    return this.#layers.map(({ image }) => image.imageToViewerElementCoordinates(origin)).map(({ x, y }) => [x, y]);
  }

  /** Resolves when a layer has all tiles of the present view. */
  whenSharp(name) {
    return new Promise((resolve) => this.#layer(name).image.whenFullyLoaded(resolve));
  }

  /** Resolves when nothing of the view moves any more. */
  async whenStill() {
    const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
    do
      await frame().then(frame); // a motion begins with the frame after its cause
    while (this.#viewer.isAnimating() || !this.isSharp);
  }
}
