"""`python -m trainer enhance RUN PHOTO... --output DIR`: photographs in, the same with better contrast out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
import pyvips
from numpy.typing import NDArray
from tqdm import tqdm

from builder.atomic_files import NotDeterministic, replace_file, write_once
from builder.images import LinearPicture, UnreadableImage, encode_exr, read_bytes
from trainer.enhancement.enhancer import STRENGTHS, Enhancer, load_enhancer
from trainer.enhancement.photo_files import Found, FreeNames, identities, identity, photographs_in
from trainer.enhancement.photographs import (
    SUFFIXES,
    Photograph,
    encode_photograph,
    output_format,
    read_photograph,
    working_bits,
)
from trainer.exit_codes import SOMETHING_FAILED

BAR = "{desc} {percentage:3.0f}% |{bar}| {elapsed} < {remaining}"
LIGHT_SUFFIX = ".exr"
LIGHT_TEXTS = {"scale": "1.0 = reference white", "comments": "estimated from one photograph by a network"}
DEPTHS: dict[int, type[np.unsignedinteger[Any]]] = {8: np.uint8, 16: np.uint16}


@dataclass(frozen=True)
class Choices:
    """What is asked of every photograph alike. protected: identities of all inputs."""

    strength: float
    file_format: str | None
    quality: int
    hdr: bool
    overwrite: bool
    protected: frozenset[tuple[int, int]]


class NotWritten(Exception):
    """A photograph whose result may not take the place of what is there."""


class TileSide(click.ParamType):
    """`auto` (None) or pixels; 0 = the whole picture at once."""

    name = "auto|N"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | None:
        """None for auto."""
        if value is None or value == "auto":
            return None
        try:
            side = int(value)
        except ValueError:
            side = -1
        if side < 0:
            self.fail(
                f"{value!r}: say 'auto', a number of pixels, or 0 for the whole picture at once", param, ctx
            )
        return side


@click.command()
@click.argument("run", type=click.Path(path_type=Path))
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--output", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder for results."
)
@click.option(
    "--strength",
    default=1.0,
    show_default=True,
    type=click.FloatRange(*STRENGTHS),
    help="1 as trained, 0 unchanged.",
)
@click.option(
    "--tile", default="auto", show_default=True, type=TileSide(), help="Side of tiles; auto fits the memory."
)
@click.option(
    "--format", "file_format", type=click.Choice(tuple(SUFFIXES)), help="Default: as the photo; RAW: tiff."
)
@click.option("--quality", default=95, show_default=True, type=click.IntRange(1, 100), help="Of JPEG.")
@click.option(
    "--hdr", is_flag=True, help="Also the network's estimate of the scene's light, as OpenEXR (DRHT only)."
)
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option("--overwrite", is_flag=True, help="Replace earlier results; inputs are never replaced.")
@click.pass_context
def command(
    ctx: click.Context,
    run: Path,
    photos: tuple[Path, ...],
    output: Path,
    tile: int | None,
    device: str,
    **asked: Any,
) -> None:
    """Enhance photographs of any size with the network of RUN.

    PHOTO: JPEG, PNG, TIFF and RAW files, or folders of them. Kept: 8 or 16 bits per channel, EXIF (place and maker
    notes too), XMP, IPTC and the colour profile: pixels go to sRGB for the network and back into the photo's own
    profile, so colours look right everywhere; only those outside sRGB are brought to its edge. Results are upright,
    whatever the camera's orientation tag said. Transparency is dropped. RAW files become 16-bit TIFFs in sRGB.
    With --hdr an EXR lies beside each result: linear Rec.709, 1.0 = reference white, whatever the strength.
    """
    found = photographs_in(photos, output)
    if not found:
        raise click.UsageError(f"no photographs in {', '.join(map(str, photos))}")
    enhancer = load_enhancer(run, device=device, tile=tile)
    if asked["hdr"] and not enhancer.gives_light:
        raise click.UsageError(
            f"--hdr: {enhancer.name} gives no estimate of the scene's light; networks of preset drht_paper do"
        )
    choices = Choices(protected=identities([one.path for one in found]), **asked)
    failures = _enhance_all(enhancer, found, FreeNames(output), choices)
    for sentence in failures:
        click.echo(f"error: {sentence}", err=True)
    click.echo(f"{len(found) - len(failures)} of {len(found)} photographs enhanced into {output}")
    if failures:
        ctx.exit(SOMETHING_FAILED)


def _enhance_all(enhancer: Enhancer, found: list[Found], names: FreeNames, choices: Choices) -> list[str]:
    """A sentence for each photograph that failed; the others are written."""
    failures = []
    with tqdm(total=len(found), bar_format=BAR, file=sys.stderr, disable=None) as bar:
        for number, one in enumerate(found, 1):
            bar.set_description_str(f"{number}/{len(found)} {one.path.name}")
            try:
                target = _enhance_one(enhancer, one, names, choices, bar.update)
            except (UnreadableImage, NotWritten) as error:
                failures.append(str(error))
            except MemoryError:
                failures.append(f"{str(one.path)!r}: too large for the memory of this machine")
            except pyvips.Error as error:
                failures.append(
                    f"{str(one.path)!r}: cannot be encoded ({' '.join(str(error.detail).split())})"
                )
            else:
                with tqdm.external_write_mode():
                    click.echo(str(target))
            bar.update(number - bar.n)
    return failures


def _enhance_one(
    enhancer: Enhancer, one: Found, names: FreeNames, choices: Choices, advance: Callable[[float], Any]
) -> Path:
    photograph = read_photograph(one.path)
    file_format = output_format(photograph.kind, choices.file_format)
    target = names.name(one.place, SUFFIXES[file_format])
    light = names.name(one.place, LIGHT_SUFFIX) if choices.hdr else None
    for wanted in filter(None, (target, light)):
        _require_free(wanted, choices)
    if choices.strength == 0 and file_format == photograph.kind:
        data = read_bytes(one.path)
    else:
        depth = DEPTHS[working_bits(photograph, file_format)]
        pixels = _enhanced(enhancer, photograph, choices.strength, depth, advance)
        data = encode_photograph(pixels, photograph, file_format=file_format, quality=choices.quality)
    _write(target, data, choices)
    if light is not None:
        _write(light, encode_exr(LinearPicture(enhancer.light(photograph.pixels), LIGHT_TEXTS)), choices)
    return target


def _enhanced(
    enhancer: Enhancer,
    photograph: Photograph,
    strength: float,
    depth: type[np.unsignedinteger[Any]],
    advance: Callable[[float], Any],
) -> NDArray[Any]:
    """HxWx3 in the levels of `depth`, tile by tile: floats of a whole photograph are never held."""
    pixels = np.empty(photograph.pixels.shape, depth)
    for piece in enhancer.pieces(photograph.pixels, strength):
        levels = piece.pixels  # made for us alone: rounded in place
        levels *= np.iinfo(depth).max
        np.rint(levels, out=levels)
        piece.put_into(pixels)
        advance(levels.size / pixels.size)
    return pixels


def _require_free(target: Path, choices: Choices) -> None:
    if identity(target) in choices.protected:
        raise NotWritten(f"{target}: is one of the photographs given; choose another --output")
    if not choices.overwrite and (target.exists() or target.is_symlink()):
        raise NotWritten(f"{target}: exists already; --overwrite replaces it")


def _write(target: Path, data: bytes, choices: Choices) -> None:
    if choices.overwrite:
        replace_file(target, data)
        return
    try:
        write_once(target, data)
    except NotDeterministic:
        raise NotWritten(f"{target}: was made by another program meanwhile; it stays as it is") from None
