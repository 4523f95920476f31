"""Work on strips of rows that fit into a processor's cache, by as many threads as OpenCV is told to use."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2

# About half of a core's second-level cache for a strip of float32 RGB: one strip is in use with two or three others.
STRIP_PIXELS = 64_000


def row_strips(height: int, width: int) -> Iterator[slice]:
    """Slices that cover rows 0..height of an image of that width; all but the last start and end at an even row."""
    rows = max(2, STRIP_PIXELS // width // 2 * 2)
    return (slice(first, min(first + rows, height)) for first in range(0, height, rows))


def over_strips(height: int, width: int, work: Callable[[slice], None]) -> None:
    """Call `work` once for each strip of rows; `work` writes to these rows only, so that the order cannot matter.

    `cv2.setNumThreads` says how many threads, so that one setting governs both OpenCV and this.
    """
    strips = list(row_strips(height, width))
    threads = min(max(1, cv2.getNumThreads()), len(strips))
    if threads == 1:
        for rows in strips:
            work(rows)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, strips):  # taking the results brings an error of a thread here
            pass
