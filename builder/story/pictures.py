"""Pictures inside the page, as JPEG in data URIs."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from xml.etree.ElementTree import Element

import cv2
import numpy as np

from builder.images import UnreadableImage, as_8_bit, encode_jpeg, read_image
from builder.story.markup import Child, element

WIDTH, THUMBNAIL = 720, 300  # pixels; larger pictures are reduced, smaller ones stay
QUALITY = 86


def picture(path: Path | None, alternative: str, *, width: int = WIDTH) -> Element:
    """The picture of a file, or a box that says why there is none."""
    if path is None:
        return element("div", "no picture of this in the files", class_="absent")
    try:
        pixels = read_image(path)
    except UnreadableImage as error:
        return element("div", str(error), class_="absent")
    pixels = _reduced(pixels, width)
    source = "data:image/jpeg;base64," + b64encode(encode_jpeg(pixels, QUALITY)).decode()
    height, shown_width = pixels.shape[:2]
    return element("img", src=source, alt=alternative, width=shown_width, height=height)


def captioned(shown: Element, *caption: Child, class_: str | None = None) -> Element:
    """A picture or chart with its words below."""
    return element("figure", shown, element("figcaption", *caption), class_=class_)


def _reduced(pixels: np.ndarray, width: int) -> np.ndarray:
    """At most `width` wide, HxWx3 uint8."""
    pixels = as_8_bit(pixels)
    if pixels.shape[1] <= width:
        return pixels
    height = max(1, round(pixels.shape[0] * width / pixels.shape[1]))
    return cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA)
