"""Settings: four layers, checked, stored and read again."""

from __future__ import annotations

import pytest

from trainer.networks import NETWORKS
from trainer.settings import (
    Settings,
    SettingsError,
    as_document,
    as_toml,
    differences,
    from_document,
    load_settings,
    preset_names,
)


def test_later_layers_win(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text("[optimization]\nbatch = 7\nsteps = 5000\nrate = 0.5\n[losses]\nmse = 2\n")
    environment = {
        "FOUNDRY_OPTIMIZATION_STEPS": "6000",
        "FOUNDRY_OPTIMIZATION_RATE": "0.25",
        "FOUNDRY_OTHER": "1",
    }
    sets = [
        "optimization.rate=0.125",
        "network_parameters.width=8",
        "loss_parameters.charbonnier.epsilon=1e-2",
    ]
    settings = load_settings("sice_residual_released", file, environment, [*sets, "losses.euclidean=0"])
    chosen = settings.optimization
    assert (chosen.momentum, chosen.batch, chosen.steps, chosen.rate) == (0.9, 7, 6000, 0.125)
    assert settings.losses == {"mse": 2.0}
    assert settings.network_parameters == {"width": 8}
    assert settings.loss_parameters == {"charbonnier": {"epsilon": 0.01}}
    assert settings.network == "sice_residual"


def test_another_network_drops_the_parameters_of_the_presets():
    assert load_settings("demo_sice", None, {}).network_parameters == {"width": 16}
    assert load_settings("demo_sice", None, {}, network="my.module:Net").network_parameters == {}


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("optimization.stepz=3", "did you mean 'steps'"),
        ("optimisation.steps=3", "did you mean 'optimization'"),
        ("optimization.steps=many", "expected int, found 'many'"),
        ("optimization.steps=0", "from 1 to"),
        ("optimization=3", r"\[optimization\] must be a table"),
        ("optimization.schedule=linear", "expected one of cosine"),
        ("data.augment=1", "expected bool"),
        ("network=3", "must be a name"),
        ("losses.mse=-1", "weight of 0 or more"),
        ("losses.mse=true", "weight of 0 or more"),
        ("loss_parameters.mse=1", "must be a table"),
        ("optimization.warmup=60000", "below optimization.steps"),
        ("optimization.schedule=exponential", "never reaches 0"),
        ("steps 3", "expected table.key=value"),
    ],
)
def test_mistakes_are_named(assignment, message):
    with pytest.raises(SettingsError, match=message):
        load_settings(None, None, {}, [assignment])


def test_unknown_preset_names_the_nearest():
    with pytest.raises(SettingsError, match="did you mean 'sice_two_stage_released'"):
        load_settings("sice_two_stage_release", None, {})


@pytest.mark.parametrize("preset", preset_names())
def test_presets_are_stored_and_read_again(preset, tmp_path):
    settings = load_settings(preset, None, {}, ["loss_parameters.ssim.kernel_size=8", "data.crop=64"])
    assert from_document(as_document(settings), "stored") == settings
    file = tmp_path / "settings.toml"
    file.write_text(as_toml(settings))
    assert load_settings(None, file, {}) == settings
    assert settings.network in NETWORKS


def test_released_presets_are_what_the_files_say():
    batches = {"residual": 5, "two_stage": 5, "per_pixel": 10}
    for name, batch in batches.items():
        settings = load_settings(f"sice_{name}_released", None, {})
        assert settings.losses == {"euclidean": 1.0}
        assert (settings.optimization.batch, settings.data.augment, settings.data.resize) == (
            batch,
            False,
            "third",
        )
        assert (settings.data.under, settings.data.over, settings.data.crop) == (1.0, 0.0, 320)


def test_differences_count_what_is_learnt():
    one = Settings()
    other = load_settings(None, None, {}, ["run.workers=9", "data.crop=64", "losses.mse=1", "run.seed=1"])
    assert differences(one, one) == []
    changed = ["data.crop: 320 -> 64", "losses.mse: None -> 1.0", "run.seed: 2018 -> 1"]
    assert sorted(differences(one, other)) == changed
