"""Preview folders: the grid of tiles is the one that the builder's library writes."""

from __future__ import annotations

import numpy as np
import pytest

from builder.settings import PreviewSettings
from builder.stages.preview import write_preview
from study_app.preparation.previews import TileGrid, folder_bytes, preview_problem


@pytest.mark.parametrize(
    ("width", "height"), [(1, 1), (2, 3), (509, 510), (511, 510), (512, 513), (1021, 40), (7, 1025)]
)
def test_the_grid_is_what_libvips_writes(tmp_path, width, height):
    write_preview(tmp_path, np.full((height, width, 3), 90, np.uint8), PreviewSettings())
    grid = TileGrid(width, height)
    written = {
        int(level.name): {tile.name for tile in level.iterdir()}
        for level in (tmp_path / "tiles_files").iterdir()
    }
    assert sorted(written) == list(range(grid.top_level + 1))
    for level, names in written.items():
        columns, rows = grid.tiles(level)
        assert names == {f"{column}_{row}.jpg" for column in range(columns) for row in range(rows)}
    assert preview_problem(tmp_path, width, height) is None
    assert folder_bytes(tmp_path) == sum(
        file.stat().st_size for file in tmp_path.rglob("*") if file.is_file()
    )


@pytest.mark.parametrize("level", [-1, 11])
def test_a_level_beyond_the_picture_is_refused(level):
    with pytest.raises(ValueError, match=f"level {level}: a 700x560 picture has 0..10"):
        TileGrid(700, 560).tiles(level)


def test_a_folder_that_is_not_there_has_no_size(tmp_path):
    assert folder_bytes(tmp_path / "nowhere") == 0
