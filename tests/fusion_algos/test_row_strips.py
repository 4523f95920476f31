import threading

import cv2
import numpy as np
import pytest

from fusion_algos import row_strips


@pytest.fixture
def two_threads():
    before = cv2.getNumThreads()
    cv2.setNumThreads(2)
    yield
    cv2.setNumThreads(before)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (7, 300_000), (1001, 4000), (16, 16)])
def test_strips_cover_every_row_once_and_start_at_even_rows(height, width):
    strips = list(row_strips.row_strips(height, width))
    assert [y for rows in strips for y in range(rows.start, rows.stop)] == list(range(height))
    assert all(rows.start % 2 == 0 for rows in strips)


def test_work_reaches_every_row_on_the_threads_that_opencv_is_allowed(two_threads, monkeypatch):
    monkeypatch.setattr(row_strips, "STRIP_PIXELS", 40)
    seen = np.zeros(100, int)
    names = set()
    met = threading.Barrier(2, timeout=30)

    def work(rows):
        if rows.start < 8:
            met.wait()  # the first two strips are in work at once, or this breaks
        names.add(threading.current_thread().name)
        seen[rows] += 1

    row_strips.over_strips(100, 10, work)
    assert (seen == 1).all()
    assert len(names) == 2


def test_one_thread_stays_on_the_callers(monkeypatch):
    monkeypatch.setattr(row_strips, "STRIP_PIXELS", 40)
    monkeypatch.setattr(cv2, "getNumThreads", lambda: 1)
    names = set()
    row_strips.over_strips(100, 10, lambda rows: names.add(threading.current_thread().name))
    assert names == {threading.current_thread().name}


def test_an_error_in_a_thread_reaches_the_caller(two_threads, monkeypatch):
    monkeypatch.setattr(row_strips, "STRIP_PIXELS", 40)

    def work(rows):
        if rows.start == 8:
            raise MemoryError("no room for row 8")

    with pytest.raises(MemoryError, match="no room for row 8"):
        row_strips.over_strips(100, 10, work)
