"""What the simulated camera prints into its files: EXIF for JPEG by Pillow, values for the DNG writer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from PIL import Image
from PIL.ExifTags import IFD, Base
from PIL.TiffImagePlugin import IFDRational

# Cameras expose powers of two and print the traditional series.
_PRINTED = {32: 30, 16: 15, 64: 60, 128: 125, 1024: 1000, 2048: 2000, 4096: 4000, 8192: 8000, 16384: 16000}


@dataclass(frozen=True)
class Shot:
    """Facts of one frame as the camera prints them."""

    seconds: Fraction  # nominal
    f_number: Fraction
    iso: int
    bias: Fraction
    captured_at: datetime  # local time, start of the exposure
    offset: str  # "+02:00"
    orientation: int
    maker: str
    model: str
    serial: str
    lens: str
    focal_length: Fraction  # mm
    manual: bool


def nominal_seconds(seconds: Fraction) -> Fraction:
    """The printed exposure time of a true one: 1/32 s is printed 1/30, 32 s is printed 30."""
    if seconds >= 1:
        whole = int(seconds)
        return Fraction(_PRINTED.get(whole, whole))
    part = int(1 / seconds)
    return Fraction(1, _PRINTED.get(part, 500 if part == 512 else 250 if part == 256 else part))


def jpeg_exif(shot: Shot, width: int, height: int) -> bytes:
    """EXIF block of a JPEG of width x height stored pixels."""
    exif = Image.Exif()
    moment = shot.captured_at.strftime("%Y:%m:%d %H:%M:%S")
    fraction = f"{shot.captured_at.microsecond // 10000:02d}"
    exif[Base.Make], exif[Base.Model] = shot.maker, shot.model
    exif[Base.Orientation] = shot.orientation
    exif[Base.DateTime] = moment
    exif[Base.Software] = f"{shot.model} Ver. 1.10"
    exif[Base.XResolution] = exif[Base.YResolution] = IFDRational(72, 1)
    exif[Base.ResolutionUnit] = 2
    exif.get_ifd(IFD.Exif).update(
        {
            Base.ExifVersion: b"0231",
            Base.ExposureTime: _rational(shot.seconds),
            Base.FNumber: _rational(shot.f_number),
            Base.ExposureProgram: 1 if shot.manual else 3,
            Base.ISOSpeedRatings: shot.iso,
            Base.DateTimeOriginal: moment,
            Base.DateTimeDigitized: moment,
            Base.SubsecTimeOriginal: fraction,
            Base.SubsecTimeDigitized: fraction,
            Base.OffsetTimeOriginal: shot.offset,
            Base.OffsetTimeDigitized: shot.offset,
            Base.ExposureBiasValue: _rational(shot.bias),
            Base.FocalLength: _rational(shot.focal_length),
            Base.ColorSpace: 1,
            Base.ExifImageWidth: width,
            Base.ExifImageHeight: height,
            Base.ExposureMode: 1 if shot.manual else 2,
            Base.WhiteBalance: 1,
            Base.BodySerialNumber: shot.serial,
            Base.LensModel: shot.lens,
        }
    )
    return exif.tobytes()


def _rational(value: Fraction) -> IFDRational:
    return IFDRational(value.numerator, value.denominator)
