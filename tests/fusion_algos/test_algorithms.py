"""What holds for every algorithm: each test runs once for each entry of ALGORITHMS."""

import warnings

import cv2
import numpy as np
import pytest

from fusion_algos import ALGORITHMS, ExposureStack, row_strips

EVERY = pytest.mark.parametrize("algorithm", ALGORITHMS.values(), ids=ALGORITHMS)
LEVEL = 1 / 255

# Algorithms that boost details and tones, so that not even equal images come back, and what spares the tones.
BOOSTING = {"shen2014": {"base_gamma": (1.0, 1.0, 1.0)}}
# Their tone curves place the scene's own range on the display, whatever the exposures showed of it.
TONE_MAPPED = {"sen2012", "oh2015", "paris2011"} & ALGORITHMS.keys()

# Pyramids keep every second column from the left, bilateral grids have a node every min(height, width) of
# them: a size where both fall on the same places in the mirror.
MIRRORED_SIZE = (48, 97)


def checked(algorithm, stack):
    fused = algorithm(stack)
    assert fused.shape == stack.shape
    assert fused.dtype == np.float32
    assert np.isfinite(fused).all()
    assert fused.min() >= 0
    assert fused.max() <= 1
    return fused


@EVERY
def test_says_what_it_is(algorithm):
    assert ALGORITHMS[algorithm.name] is algorithm
    assert algorithm.fuse.__module__ == f"fusion_algos.{algorithm.family}.{algorithm.name}"
    assert algorithm.title
    assert algorithm.name[-4:] in algorithm.cite  # the year
    assert algorithm.revision >= 1


@EVERY
@pytest.mark.parametrize("count", [2, 3, 6, 9, 30])
def test_any_number_of_exposures(algorithm, bracket, count):
    checked(algorithm, ExposureStack((bracket(10) * 3)[:count], np.arange(count) + 1.0))


@EVERY
@pytest.mark.parametrize("size", [(16, 16), (17, 31), (48, 64), (64, 33), (131, 90), (800, 1250)])
def test_any_size(algorithm, bracket, size):
    checked(algorithm, ExposureStack(bracket(3, *size), [1, 4, 16]))


@EVERY
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("levels", [(0, 0, 0), (255, 255, 255), (0, 128, 255), (0, 255, 255), (77, 77, 77)])
def test_flat_exposures(algorithm, dtype, levels):
    scale = 1 if dtype == np.uint8 else np.float32(255)
    flat = [(np.full((20, 24, 3), level, np.uint8) / scale).astype(dtype) for level in levels]
    fused = checked(algorithm, ExposureStack(flat))
    assert np.ptp(fused) < 1e-3  # nothing comes from nothing
    if algorithm.name not in TONE_MAPPED or (len(set(levels)) == 1 and levels[0] in (0, 255)):
        fused = algorithm(ExposureStack(flat), **BOOSTING.get(algorithm.name, {}))
        assert min(levels) * LEVEL - 1e-3 < fused.mean() < max(levels) * LEVEL + 1e-3


@EVERY
def test_half_clipped_exposures(algorithm, bracket):
    images = bracket(3)
    images[0][:, :40] = 0
    images[2][:, 20:] = 255
    checked(algorithm, ExposureStack(images, [1, 4, 16]))


@pytest.mark.parametrize("name", [name for name in ALGORITHMS if name not in {*TONE_MAPPED, *BOOSTING}])
def test_identical_exposures_come_back(name, bracket):
    image = bracket(3)[1]
    image[0, :2] = [[0, 0, 0], [255, 255, 255]]  # the whole range, which a stretch leaves alone
    fused = checked(ALGORITHMS[name], ExposureStack([image] * 4, [1, 2, 4, 8]))
    assert np.abs(fused - image * LEVEL).max() < LEVEL


@pytest.mark.parametrize("name", sorted(TONE_MAPPED))
@pytest.mark.parametrize("seconds", [(1, 2, 4, 8), (1, 1, 1, 1), None])
def test_identical_exposures_keep_their_order_of_brightness(name, seconds, bracket):
    image = bracket(3)[1]
    fused = checked(ALGORITHMS[name], ExposureStack([image] * 4, seconds))
    before, after = (np.argsort(np.argsort(picture.mean(axis=2).ravel())) for picture in (image, fused))
    assert np.corrcoef(before, after)[0, 1] > 0.8  # local operators change it near edges


@EVERY
def test_unknown_seconds(algorithm, bracket):
    checked(algorithm, ExposureStack(bracket(3)))


@EVERY
def test_linear_planes_may_be_there(algorithm, bracket):
    images = bracket(3)
    checked(algorithm, ExposureStack(images, [1, 4, 16], [np.square(i.astype(np.uint16)) for i in images]))


@EVERY
def test_leaves_its_input_alone_and_repeats_itself(algorithm, bracket):
    images = [image * np.float32(LEVEL) for image in bracket(3)]
    stack = ExposureStack([image.copy() for image in images], [1, 4, 16])
    first, second = algorithm(stack), algorithm(stack)
    np.testing.assert_array_equal(first, second)
    for given, image in zip(stack.images, images, strict=True):
        np.testing.assert_array_equal(given, image)


@EVERY
@pytest.mark.parametrize("seconds", [(1, 4, 16, 64), None])
def test_the_order_of_exposures_does_not_matter(algorithm, bracket, seconds):
    images, order = bracket(4), (2, 0, 3, 1)
    shuffled = ExposureStack([images[i] for i in order], seconds and [seconds[i] for i in order])
    np.testing.assert_array_equal(algorithm(shuffled), algorithm(ExposureStack(images, seconds)))


@EVERY
def test_float_and_8_bit_input_give_the_same_picture(algorithm, bracket):
    images = bracket(3)
    floats = ExposureStack([image / np.float32(255) for image in images], [1, 4, 16])
    assert np.abs(algorithm(floats) - algorithm(ExposureStack(images, [1, 4, 16]))).max() < LEVEL


@EVERY
def test_mirrored_in_mirrored_out(algorithm, bracket):
    images = bracket(3, *MIRRORED_SIZE)
    mirrored = algorithm(
        ExposureStack([np.ascontiguousarray(image[:, ::-1]) for image in images], [1, 4, 16])
    )
    difference = np.abs(algorithm(ExposureStack(images, [1, 4, 16])) - mirrored[:, ::-1])
    # The grid of Durand's base layer has cell borders on pixels, which go to the same side in the mirror.
    assert difference.max() < (2 * LEVEL if algorithm.name == "oh2015" else LEVEL / 4)


@EVERY
def test_views_are_read_as_they_are(algorithm, bracket):
    views = [image[::-1, ::-1] for image in bracket(3)]
    copies = [np.ascontiguousarray(view) for view in views]
    np.testing.assert_array_equal(
        algorithm(ExposureStack(views, [1, 4, 16])), algorithm(ExposureStack(copies, [1, 4, 16]))
    )


@EVERY
def test_memory_mapped_images(algorithm, bracket, tmp_path):
    images = bracket(3)
    np.save(tmp_path / "stack.npy", np.stack(images))
    mapped = np.load(tmp_path / "stack.npy", mmap_mode="r")
    np.testing.assert_array_equal(
        algorithm(ExposureStack(list(mapped), [1, 4, 16])), algorithm(ExposureStack(images, [1, 4, 16]))
    )


@EVERY
def test_the_number_of_threads_changes_no_bit(algorithm, bracket, monkeypatch, threads_restored):
    monkeypatch.setattr(row_strips, "STRIP_PIXELS", 2000)  # many strips to share
    stack, pictures = ExposureStack(bracket(3, 150, 130), [1, 4, 16]), []
    for threads in (1, 2):
        cv2.setNumThreads(threads)
        pictures.append(algorithm(stack))
    np.testing.assert_array_equal(*pictures)


@EVERY
def test_strips_leave_no_seam(algorithm, bracket, monkeypatch):
    stack = ExposureStack(bracket(3, 150, 130), [1, 4, 16])
    whole = algorithm(stack)
    monkeypatch.setattr(row_strips, "STRIP_PIXELS", 200)
    assert np.abs(algorithm(stack) - whole).max() < 1e-3  # rounding around another mean


@EVERY
def test_no_warning(algorithm, bracket):
    images = [*bracket(3), np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 255, np.uint8)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        algorithm(ExposureStack(images))


@EVERY
def test_an_unknown_parameter_is_named(algorithm, bracket):
    with pytest.raises(ValueError, match=rf"{algorithm.name}: unknown parameter 'sharpness'"):
        algorithm(ExposureStack(bracket(2), [1, 4]), sharpness=3)


@EVERY
def test_defaults_are_the_parameters(algorithm, bracket):
    stack = ExposureStack(bracket(3), [1, 4, 16])
    np.testing.assert_array_equal(algorithm(stack, **algorithm.parameters), algorithm(stack))


WINDOWED = [name for name, algorithm in ALGORITHMS.items() if "radius_scale" in algorithm.parameters]


@pytest.mark.parametrize("name", WINDOWED)
@pytest.mark.parametrize("scale", [0.01, 100])
def test_windows_fit_any_image(name, scale, bracket):
    fused = ALGORITHMS[name](ExposureStack(bracket(3, 16, 20), [1, 4, 16]), radius_scale=scale)
    assert np.isfinite(fused).all()


@pytest.mark.parametrize("name", WINDOWED)
def test_larger_images_with_larger_radii_look_alike(name, bracket):
    """Windows of fixed size make the picture depend on the image's size; `radius_scale` takes that back."""
    algorithm = ALGORITHMS[name]
    small = [cv2.GaussianBlur(image, (0, 0), 2) for image in bracket(3, 128, 160)]
    large = [cv2.resize(image, (320, 256), interpolation=cv2.INTER_LINEAR) for image in small]
    shrunk = []
    for scale in (1.0, 2.0):
        fused = algorithm(ExposureStack(large, [1, 4, 16]), radius_scale=scale)
        shrunk.append(cv2.resize(fused, (160, 128), interpolation=cv2.INTER_AREA))
    unscaled, scaled = (
        np.abs(fused - algorithm(ExposureStack(small, [1, 4, 16]))).mean() for fused in shrunk
    )
    assert scaled < 0.8 * unscaled
