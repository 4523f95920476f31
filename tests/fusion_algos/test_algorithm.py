"""The decorator and what it makes of a function."""

import numpy as np
import pytest

from fusion_algos import ExposureStack
from fusion_algos.algorithm import algorithm


def make(fuse):
    fuse.__module__ = "fusion_algos.exposure_fusion.someone1999"
    return algorithm(title="A title", cite="Someone, 1999", revision=3)(fuse)


@pytest.fixture
def stack():
    return ExposureStack([np.zeros((4, 5, 3), np.uint8), np.full((4, 5, 3), 9, np.uint8)])


def test_name_family_and_parameters_come_from_the_file_and_the_signature():
    def fuse(stack, *, sigma=0.2, levels=None):
        raise NotImplementedError

    made = make(fuse)
    assert (made.family, made.name, made.revision) == ("exposure_fusion", "someone1999", 3)
    assert dict(made.parameters) == {"sigma": 0.2, "levels": None}
    assert list(made.parameters) == ["sigma", "levels"]
    with pytest.raises(TypeError):
        made.parameters["sigma"] = 1


def test_parameters_reach_the_function(stack):
    made = make(lambda stack, *, level=0.5: np.full(stack.shape, level, np.float32))
    assert made(stack).mean() == 0.5
    assert made(stack, level=0.25).mean() == 0.25


def test_unknown_parameters_are_named_with_the_known_ones(stack):
    made = make(lambda stack, *, sigma=1, radius=2: np.zeros(stack.shape, np.float32))
    with pytest.raises(ValueError, match=r"someone1999: unknown parameter 'sgima'; .* are: sigma, radius$"):
        made(stack, sgima=3)


@pytest.mark.parametrize("result", [np.zeros((4, 5, 3)), np.zeros((4, 5), np.float32)])
def test_a_broken_algorithm_says_what_it_returned(stack, result):
    with pytest.raises(RuntimeError, match=r"someone1999: fuse returned .*must return float32 \(4, 5, 3\)"):
        make(lambda stack: result)(stack)
