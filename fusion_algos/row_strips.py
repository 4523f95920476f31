"""Work on strips of rows that fit into a processor's cache, by as many threads as OpenCV is told to use."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import cv2

# A strip of float32 RGB (1.5 MB) and the two or three that it is worked on with stay in a core's caches.
STRIP_PIXELS = 128_000


def row_strips(height: int, width: int) -> Iterator[slice]:
    """Slices that together cover the rows of an image; each starts at an even row."""
    rows = max(2, STRIP_PIXELS // width // 2 * 2)
    return (slice(first, min(first + rows, height)) for first in range(0, height, rows))


def over_strips(height: int, width: int, work: Callable[[slice], None]) -> None:
    """Call `work` once for each strip of rows, on as many threads as `cv2.setNumThreads` allows OpenCV.

    One setting so governs both. `work` must write to its own rows only: then the order cannot matter.
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
