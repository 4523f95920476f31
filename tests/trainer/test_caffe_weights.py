from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tests.trainer import caffe_writer as writer
from trainer.commands import import_caffe
from trainer.exchange import caffe_weights
from trainer.exchange.caffe_weights import read_caffe_weights
from trainer.exchange.caffe_wire import caffe_layers
from trainer.inputs import Inputs, picture_tensor
from trainer.networks import make_network
from trainer.preprocessing.base_detail import base_detail

ORACLE = Path(__file__).resolve().parents[2].parent / "shared" / "oracle" / "sice_models"
MODELS = {"model1": "sice_residual", "model2": "sice_two_stage", "model3": "sice_per_pixel"}


def caffe_arrays(model, seed=1):
    """Caffe's name of each layer of a network and random numbers of its shapes."""
    generator = np.random.default_rng(seed)
    arrays = {}
    for key, value in make_network(model, {}).state_dict().items():
        place, _, kind = key.rpartition(".")
        layer = place.rpartition(".")[2]
        name = "RIR" if layer == "rir" else f"conv_{layer}"
        arrays.setdefault(name, {})[kind] = generator.normal(0, 0.05, value.shape).astype(np.float32)
    return {name: (one["weight"], one["bias"]) for name, one in arrays.items()}


def caffe_file(path, arrays, before=b"", **manner):
    content = before + b"".join(
        writer.layer(name, *(writer.blob(one, **manner) for one in both)) for name, both in arrays.items()
    )
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def arrays():
    return caffe_arrays("sice_two_stage")


@pytest.mark.parametrize("model", MODELS.values())
def test_a_written_file_is_recognised_and_transposed(tmp_path, model):
    found = caffe_arrays(model)
    name, weights = read_caffe_weights(caffe_file(tmp_path / "net.caffemodel", found))
    assert name == model
    make_network(name, {}).load_state_dict(weights)  # strict: all of them, none else
    place = next(key for key in weights if key.endswith("g7.weight"))
    assert np.array_equal(weights[place], found["conv_g7"][0].swapaxes(2, 3))


def as_caffe_saw_it(model, arrays, inputs):
    """The network with the file's own kernels on transposed pictures, transposed back."""
    network = make_network(model, {})
    for key, value in network.state_dict().items():
        place, _, kind = key.rpartition(".")
        layer = place.rpartition(".")[2]
        name = "RIR" if layer == "rir" else f"conv_{layer}"
        value.copy_(torch.from_numpy(arrays[name][kind == "bias"]))
    turned = Inputs(*(one.mT.contiguous() for one in (inputs.data, inputs.base, inputs.detail)))
    return network.double()(turned.to(torch.float64)).mT


@pytest.mark.parametrize("model", MODELS.values())
def test_imported_network_equals_the_transposed_one(tmp_path, model):
    found = caffe_arrays(model)
    name, weights = read_caffe_weights(caffe_file(tmp_path / "net.caffemodel", found))
    torch.manual_seed(3)
    inputs = Inputs(torch.rand(1, 3, 8, 12), torch.rand(1, 1, 8, 12), torch.rand(1, 1, 8, 12))
    network = make_network(name, {})
    network.load_state_dict(weights)
    with torch.no_grad():
        expected = as_caffe_saw_it(model, found, inputs)
        assert torch.allclose(network.double()(inputs.to(torch.float64)), expected, atol=1e-13, rtol=0)


@pytest.mark.parametrize("manner", [{"old_shape": True}, {"packed": False}], ids=["old_shape", "unpacked"])
def test_other_ways_to_write_the_same(manner):
    kernel, bias = np.arange(36, dtype=np.float32).reshape(2, 2, 3, 3), np.float32([1, 2])
    content = writer.layer("a", writer.blob(kernel, **manner), writer.blob(bias, **manner))
    (layer,) = caffe_layers(content)
    assert np.array_equal(layer.blobs[0], kernel)
    assert np.array_equal(layer.blobs[1].ravel(), bias)


def test_unknown_fields_are_skipped():
    kernel = writer.blob(np.ones((2, 3), np.float32))
    more = writer.field(998, b"\xff\xff") + writer.field(10, 1) + writer.varint(77 << 3 | 1) + b"8 bytes."
    content = writer.field(1, "net") + writer.layer("a", kernel, more=more) + writer.layer("relu")
    assert [layer.name for layer in caffe_layers(content)] == ["a"]


def test_a_file_cut_anywhere_is_refused_or_lacks_layers(tmp_path, arrays):
    path = caffe_file(tmp_path / "net.caffemodel", arrays)
    content = path.read_bytes()
    generator = np.random.default_rng(5)
    for length in (0, 1, len(content) - 1, *generator.integers(2, len(content) - 1, 40)):
        path.write_bytes(content[:length])
        with pytest.raises(
            ValueError, match=r"net\.caffemodel: (byte \d+: .*cut off|none of the SICE networks)"
        ):
            read_caffe_weights(path)


BLOB = writer.blob(np.ones((2, 3), np.float32))
DAMAGED = {
    "length past the end": (writer.varint(100 << 3 | 2) + writer.varint(1 << 40) + b"x", "past the end"),
    "inner length past its message": (
        writer.field(100, writer.varint(7 << 3 | 2) + b"\x7fx"),
        "past the end",
    ),
    "endless number": (b"\xff" * 11, "more than 10 bytes"),
    "unknown wire type": (writer.varint(100 << 3 | 3), "wire type 3"),
    "field 0": (b"\x02\x00", "field number 0"),
    "layer that is a number": (writer.field(100, 7), "wire type 0, not 2"),
    "fewer numbers than the shape": (writer.layer("a", BLOB[:-10] + b""), "past the end"),
    "shape of another product": (
        writer.layer("a", writer.field(7, writer.field(1, b"\x02\x04")) + writer.field(5, b"\0" * 24)),
        "6 numbers for a shape of 2x4",
    ),
    "negative side": (
        writer.layer("a", writer.field(7, writer.field(1, 2**64 - 2)) + writer.field(5, b"\0" * 8)),
        "2 numbers for a shape of 18446744073709551614",
    ),
    "bytes that are no floats": (writer.layer("a", writer.field(5, b"\0" * 7)), "no list of float32"),
    "NaN": (writer.layer("a", writer.blob(np.float32([1, np.nan]))), "not finite"),
    "infinity": (writer.layer("a", writer.blob(np.float32([1, -np.inf]))), "not finite"),
}


@pytest.mark.parametrize("case", DAMAGED)
def test_damage_is_refused(case):
    content, message = DAMAGED[case]
    with pytest.raises(ValueError, match=message):
        caffe_layers(content)


def without(arrays, name):
    return {key: value for key, value in arrays.items() if key != name}


def test_missing_extra_doubled_and_misshaped_layers_are_refused(tmp_path, arrays):
    path = tmp_path / "net.caffemodel"
    one = writer.layer("conv_g6", writer.blob(arrays["conv_g6"][0]), writer.blob(arrays["conv_g6"][1]))
    for altered, before, message in (
        (without(arrays, "conv_g9"), b"", "the nearest, sice_two_stage, .* needs conv_g9"),
        ({**arrays, "conv_x": arrays["conv_g9"]}, b"", "has no conv_x"),
        (arrays, one, "two layers of one name"),
        (
            {**arrays, "conv_g9": (arrays["conv_g9"][0][:, :32], arrays["conv_g9"][1])},
            b"",
            "'conv_g9' has shapes",
        ),
        (
            {**arrays, "conv_g9": (arrays["conv_g9"][0], arrays["conv_g9"][1][:3])},
            b"",
            "'conv_g9' has shapes",
        ),
        ({**arrays, "conv_g9": arrays["conv_g9"][:1]}, b"", "'conv_g9' has shapes"),
    ):
        with pytest.raises(ValueError, match=message):
            read_caffe_weights(caffe_file(path, altered, before))


def test_the_command_saves_what_it_read(tmp_path, arrays, monkeypatch):
    saved = []
    monkeypatch.setattr(
        import_caffe, "save_weights", lambda *arguments: saved.append(arguments) or arguments[0]
    )
    path = caffe_file(tmp_path / "net.caffemodel", arrays)
    answer = CliRunner().invoke(import_caffe.command, [str(path), "--output", str(tmp_path / "run")])
    assert answer.exit_code == 0, answer.output
    assert "sice_two_stage, 560,323 numbers" in answer.output
    ((run, name, parameters, weights, source),) = saved
    assert (run, name, parameters) == (tmp_path / "run", "sice_two_stage", {})
    assert sha256(path.read_bytes()).hexdigest() in source
    assert np.array_equal(weights["g6.bias"], arrays["conv_g6"][1])


def oracle(name):
    path = ORACLE / name
    if not path.exists():
        pytest.skip(f"{path} is absent: the released weights are not part of the project")
    return path


def released(model):
    name, weights = read_caffe_weights(oracle(f"{model}.caffemodel"))
    network = make_network(name, {})
    network.load_state_dict(weights)
    return network.eval()


def golden_inputs():
    h, w = np.mgrid[:16, :20]
    data = np.stack([((7 * h + 3 * w + 5 * c) % 17) / 16 for c in range(3)])[None]
    base, detail = ((5 * h + 2 * w) % 19) / 18, ((3 * h + w) % 13) / 12 - 0.5
    return Inputs(
        torch.from_numpy(data), torch.from_numpy(base[None, None]), torch.from_numpy(detail[None, None])
    )


GOLDENS = {  # mean, out[2, 15, 19], mean without transposition
    "model1": (0.870617691, 0.429716222, 0.868760700),
    "model2": (0.813281690, 0.388859418, 0.832865435),
    "model3": (0.597563784, 0.078159622, 0.636493004),
}


@pytest.mark.oracle
@pytest.mark.parametrize("model", GOLDENS)
def test_goldens_of_the_released_weights(model):
    network, inputs = released(model), golden_inputs()
    mean, corner, _ = GOLDENS[model]
    for network_type, tolerance in ((torch.float64, 1e-9), (torch.float32, 1e-5)):
        with torch.no_grad():
            output = network.to(network_type)(inputs.to(network_type))
        assert output.mean().item() == pytest.approx(mean, abs=tolerance)
        assert output[0, 2, 15, 19].item() == pytest.approx(corner, abs=tolerance)


@pytest.mark.oracle
@pytest.mark.parametrize("model", GOLDENS)
def test_without_transposition_it_is_another_network(model):
    arrays = {layer.name: layer.blobs for layer in caffe_layers(oracle(f"{model}.caffemodel").read_bytes())}
    inputs = golden_inputs()
    turned = Inputs(*(one.mT.contiguous() for one in (inputs.data, inputs.base, inputs.detail)))
    with torch.no_grad():
        output = as_caffe_saw_it(MODELS[model], arrays, turned)
    assert output.mean().item() == pytest.approx(GOLDENS[model][2], abs=1e-9)


@pytest.mark.oracle
@pytest.mark.parametrize(
    ("model", "output", "tolerance"),
    [("model1", "residual", 1e-4), ("model2", "two_stage", 1e-4), ("model3", "per_pixel", 1e-3)],
)
def test_outputs_of_an_independent_port(model, output, tolerance):
    picture = cv2.imread(str(oracle("input.png")))[..., ::-1].copy()
    split = base_detail(picture)
    planes = (torch.from_numpy(plane)[None, None] for plane in (split.base, split.detail))
    with torch.no_grad():
        found = released(model)(Inputs(picture_tensor(picture.astype(np.float32) / 255), *planes))
    expected = np.load(oracle(f"output_{output}.npy"))
    assert np.abs(found[0].permute(1, 2, 0).numpy() - expected).max() <= tolerance


def test_cells_are_transposed_within_their_channel():
    order = caffe_weights._transposed_cells(48)
    assert order[:6].tolist() == [0, 4, 8, 12, 1, 5]
    assert order[16:18].tolist() == [16, 20]
    assert np.array_equal(order[order], np.arange(48))
