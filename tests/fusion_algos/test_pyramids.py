"""The pyramids against their definition, written as plainly as possible in float64."""

import numpy as np
import pytest

from fusion_algos import pyramids, row_strips

TAPS = np.array([1, 4, 6, 4, 1]) / 16
ROUNDING = 5e-7  # a few float32 roundings of values up to 1
SIZES = [(4, 4), (5, 4), (16, 17), (33, 50), (64, 31), (101, 90)]


def filtered_columns(image: np.ndarray) -> np.ndarray:
    """The five taps down the columns: two rows fewer at either end."""
    n = len(image) - 4
    return sum(TAPS[j] * image[j : j + n] for j in range(5))


def filtered(image: np.ndarray) -> np.ndarray:
    return filtered_columns(filtered_columns(image).swapaxes(0, 1)).swapaxes(0, 1)


def padded(image: np.ndarray, width: int, mode: str) -> np.ndarray:
    return np.pad(image, ((width, width), (width, width)) + ((0, 0),) * (image.ndim - 2), mode=mode)


def defined_downsample(image: np.ndarray) -> np.ndarray:
    return filtered(padded(image.astype(np.float64), 2, "symmetric"))[::2, ::2]


def defined_upsample(image: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    coarse = padded(image.astype(np.float64), 1, "edge")
    spread = np.zeros((2 * coarse.shape[0], 2 * coarse.shape[1], *coarse.shape[2:]))
    spread[::2, ::2] = 4 * coarse
    return filtered(spread)[: shape[0], : shape[1]]  # the filter has cropped the first two rows and columns


def defined_blend(images: list[np.ndarray], weights: list[np.ndarray], levels: int) -> list[np.ndarray]:
    pyramid = []
    for level in range(levels):
        coarse = [defined_downsample(image) for image in images]
        details = [x - defined_upsample(c, x.shape) for x, c in zip(images, coarse, strict=True)]
        kept = images if level == levels - 1 else details
        pyramid.append(sum(w[..., None] * x for w, x in zip(weights, kept, strict=True)))
        images, weights = coarse, [defined_downsample(weight) for weight in weights]
    return pyramid


@pytest.fixture
def rng():
    return np.random.default_rng(20090)


@pytest.fixture(params=["whole", "in strips"])
def strips(request, monkeypatch):
    if request.param == "in strips":
        monkeypatch.setattr(row_strips, "STRIP_PIXELS", 1)  # two rows each


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_downsample_is_the_definition(rng, strips, size, channels):
    image = rng.random((*size, *channels), dtype=np.float32)
    np.testing.assert_allclose(pyramids.downsample(image), defined_downsample(image), atol=ROUNDING)


def test_downsample_of_8_bit_keeps_its_units_and_fractions(rng, strips):
    image = rng.integers(0, 256, (33, 20, 3), dtype=np.uint8)
    np.testing.assert_allclose(pyramids.downsample(image), defined_downsample(image), atol=255 * ROUNDING)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("channels", [(), (3,)])
def test_upsample_is_the_definition(rng, size, channels):
    coarse = rng.random((-(-size[0] // 2), -(-size[1] // 2), *channels), dtype=np.float32)
    np.testing.assert_allclose(pyramids.upsample(coarse, size), defined_upsample(coarse, size), atol=ROUNDING)


@pytest.mark.parametrize("size", SIZES)
def test_a_collapsed_laplacian_pyramid_is_the_image(rng, strips, size):
    image = rng.random((*size, 3), dtype=np.float32)
    levels = pyramids.level_count(*size)
    pyramid = pyramids.laplacian_pyramid(image, levels)
    assert len(pyramid) == levels
    np.testing.assert_allclose(pyramids.collapse(pyramid), image, atol=2 * ROUNDING)


def test_the_levels_of_a_pyramid_have_the_shapes_of_an_empty_one(rng):
    image = rng.random((37, 50, 3), dtype=np.float32)
    expected = [(37, 50, 3), (19, 25, 3), (10, 13, 3), (5, 7, 3), (3, 4, 3)]
    assert [level.shape for level in pyramids.empty_pyramid(image.shape, 5)] == expected
    assert [level.shape for level in pyramids.gaussian_pyramid(image, 5)] == expected
    assert [level.shape for level in pyramids.laplacian_pyramid(image, 5)] == expected


@pytest.mark.parametrize(
    ("size", "spared", "levels"),
    [((1, 1), 0, 1), ((3, 90), 0, 1), ((4, 4), 0, 2), ((341, 512), 0, 8), ((512, 600), 2, 7), ((5, 5), 2, 1)],
)  # fmt: skip
def test_level_count(size, spared, levels):
    assert pyramids.level_count(*size, spared=spared) == levels


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_blending_adds_weighted_details_of_every_image(rng, strips, size, dtype):
    white = 255 if dtype == np.uint8 else 1
    images = [(rng.random((*size, 3)) * white).astype(dtype) for _ in range(3)]
    weights = [rng.random(size, dtype=np.float32) for _ in range(3)]
    levels = pyramids.level_count(*size)
    blended = pyramids.empty_pyramid(images[0].shape, levels)
    for image, weight in zip(images, weights, strict=True):
        pyramids.add_blended(blended, image, weight)
    for level, expected in zip(blended, defined_blend(images, weights, levels), strict=True):
        np.testing.assert_allclose(level, expected, atol=6 * ROUNDING * white)


def test_blending_leaves_its_inputs_alone(rng):
    image, weight = rng.random((20, 24, 3), dtype=np.float32), rng.random((20, 24), dtype=np.float32)
    before = image.copy(), weight.copy()
    pyramids.add_blended(pyramids.empty_pyramid(image.shape, 4), image, weight)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(weight, before[1])


@pytest.mark.parametrize("size", [(101, 90), (64, 31)])
def test_strips_change_no_bit(rng, monkeypatch, size):
    image = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
    weight = rng.random(size, dtype=np.float32)

    def blended_image():
        blended = pyramids.empty_pyramid(image.shape, 5)
        pyramids.add_blended(blended, image, weight)
        return pyramids.collapse(blended)

    whole = blended_image()
    monkeypatch.setattr(row_strips, "STRIP_PIXELS", 400)
    np.testing.assert_array_equal(blended_image(), whole)
