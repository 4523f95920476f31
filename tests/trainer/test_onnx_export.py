"""The ONNX file computes what the network does, for any size, batch and strength; faults are sentences."""

from __future__ import annotations

import importlib.util

import pytest
import torch
from click.testing import CliRunner

import trainer.commands.export_onnx as export_command
from trainer.checkpoint import TrainedNetwork
from trainer.exchange import onnx_export
from trainer.exchange.onnx_export import export_onnx, input_names, largest_difference
from trainer.networks import make_network

needs_onnx = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime")),
    reason="onnx and onnxruntime are not installed (extra train-extras)",
)


def trained_network(name):
    """A network of this kind whose output layers are not zero."""
    torch.manual_seed(0)
    network = make_network(name, {"width": 4} if name.startswith("sice") else {}).eval()
    with torch.no_grad():
        for one in network.parameters():
            if one.ndim > 1 and not bool(one.any()):
                one.normal_(std=0.05)
    return network


@needs_onnx
@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("lutgrid", ("data", "thumbnail", "place", "strength")),
        ("gain_unet", ("data", "thumbnail", "strength")),
        ("sice_residual", ("data", "strength")),
        ("sice_two_stage", ("data", "base", "detail", "strength")),
        ("sice_per_pixel", ("data", "base", "detail", "strength")),
    ],
)
def test_onnx_is_torch_at_sizes_and_batches_that_were_not_traced(name, inputs):
    network = trained_network(name)
    file = export_onnx(network, "a test")
    assert input_names(network) == inputs
    assert largest_difference(network, file) < 1e-4


@needs_onnx
def test_the_check_sees_other_weights():
    network = trained_network("sice_residual")
    file = export_onnx(network, "a test")
    with torch.no_grad():
        next(iter(network.parameters())).mul_(1.1)
    assert largest_difference(network, file) > 1e-4


@pytest.fixture
def run_folder(tmp_path, monkeypatch):
    """A run whose checkpoint is a small network."""
    trained = TrainedNetwork(trained_network("sice_residual"), "sice_residual", tmp_path, "ab" * 32, 7, {})
    monkeypatch.setattr(export_command, "load_network", lambda run: trained)
    return tmp_path


@needs_onnx
def test_command_writes_a_checked_file_that_says_what_it_is(run_folder):
    import onnx

    output = run_folder / "network.onnx"
    result = CliRunner().invoke(export_command.command, [str(run_folder), "--output", str(output), "--check"])
    assert result.exit_code == 0, result.output
    assert "agrees with onnxruntime" in result.output
    model = onnx.load(output)
    assert "sice_residual, step 7" in model.doc_string
    assert [one.name for one in model.graph.input] == ["data", "strength"]


@needs_onnx
def test_a_file_that_differs_is_not_written(run_folder, monkeypatch):
    monkeypatch.setattr(export_command, "largest_difference", lambda network, file: 0.5)
    output = run_folder / "network.onnx"
    result = CliRunner().invoke(export_command.command, [str(run_folder), "--output", str(output), "--check"])
    assert isinstance(result.exception, ValueError)
    assert "differs from the network by 0.5" in str(result.exception)
    assert not output.exists()


def test_missing_onnx_names_the_extra(monkeypatch):
    def not_there(name):
        raise ModuleNotFoundError(f"No module named {name!r}")

    monkeypatch.setattr(onnx_export, "import_module", not_there)
    with pytest.raises(ModuleNotFoundError, match=r"needs onnx, .*contrast-foundry\[train-extras\]"):
        export_onnx(trained_network("sice_residual"), "a test")
