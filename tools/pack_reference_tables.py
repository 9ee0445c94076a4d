"""Pack the reference tables of msaexp into the small files that come with the package.

Usage: ``python tools/pack_reference_tables.py FOLDER`` with the folder of the tables (YAML, CSV,
FITS and npz, named as in msaexp 0.9.19). The output is the same for the same input, byte by byte.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from astropy.io import fits
from numpy.typing import NDArray

TARGET = Path(__file__).resolve().parents[1] / "src" / "webbweave" / "data" / "nirspec_msa"
Arrays = dict[str, NDArray[Any]]

#: Sky spectra are tabulated with six decimals.
SKY_DECIMALS = 6
#: The columns of the sensitivity tables that calibrate first-order spectra.
SENSITIVITY_COLUMNS = ("sensitivity", "nrs1_nrs2", "nrs1_s200a1", "q1", "q2", "q3", "q4")


def read_yaml(path: Path) -> dict[str, Any]:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)


def read_table(path: Path) -> dict[str, NDArray[Any]]:
    with fits.open(path) as hdulist:
        data = hdulist[1].data
        return {name: native(data[name]) for name in data.names}


def native(array: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(array, array.dtype.newbyteorder("="))


def bar_shadow(folder: Path) -> Arrays:
    packed: Arrays = {}
    for n_shutter in (1, 2, 3):
        flat = read_yaml(folder / f"prism_{n_shutter}_bar_coeffs.yaml")
        wave = read_yaml(folder / f"prism_{n_shutter}_bar_coeffs_wave.yaml")
        assert flat["minmax"] == wave["minmax"]
        packed[f"minmax_{n_shutter}"] = np.array(flat["minmax"], float)
        packed[f"flat_{n_shutter}"] = np.array(flat["coeffs"], float)
        packed[f"wave_{n_shutter}"] = np.array(wave["coeffs"], float)
        packed[f"wavelengths_{n_shutter}"] = np.array(wave["wavelengths"], float)
    return packed


def prism_normalization(folder: Path) -> Arrays:
    table = read_yaml(folder / "prism_slit_renormalize.yaml")
    return {
        "coeffs": np.array(table["coeffs"], float),
        "wavelengths": np.array(table["reference_wavelengths"], float),
    }


def psf_fwhm(folder: Path) -> Arrays:
    return {
        name: np.loadtxt(
            folder / f"nirspec_psf_fwhm_{name}.csv", delimiter=",", skiprows=1
        ).T.copy()
        for name in ("2024b", "2024", "update", "orig")
    }


def dispersion(folder: Path) -> Arrays:
    packed = {}
    for path in sorted(folder.glob("jwst_nirspec_*_disp.fits")):
        table = read_table(path)
        packed[path.stem.split("_")[2]] = np.stack(
            [table[name] for name in ("WAVELENGTH", "DLDS", "R")]
        )
    return packed


def bad_pixels(folder: Path) -> Arrays:
    packed: Arrays = {}
    for detector in ("nrs1", "nrs2"):
        table = read_yaml(folder / f"msaexp_badpix_{detector}.yaml")
        assert table["shape"] == [2048, 2048]
        packed[f"{detector}_index"] = np.array(table["pixel_index"], np.int32)
        packed[f"{detector}_value"] = np.array(table["pixel_value"], np.uint8)
    return packed


def sensitivity(folder: Path) -> Arrays:
    packed: Arrays = {}
    for path in sorted((folder / "extended_sensitivity").glob("msaexp_sensitivity_*_001.fits")):
        _, _, grating, blocking, _ = path.stem.split("_")
        table = read_table(path)
        packed[f"{grating}_{blocking}_wavelength"] = table["wavelength"]
        for name in SENSITIVITY_COLUMNS:
            if name in table:
                packed[f"{grating}_{blocking}_{name}"] = table[name].astype(np.float32)
    return packed


def prism_sflat(folder: Path) -> Arrays:
    packed: Arrays = {}
    for quadrant in (1, 2, 3, 4):
        path = folder / "extended_sensitivity" / f"sflat_spl_coeffs_prism_q{quadrant}.fits"
        table, header = read_table(path), fits.getheader(path, 1)
        packed[f"wave_{quadrant}"] = table["wave"]
        packed[f"coeffs_{quadrant}"] = table["coeffs"]
        names = ("DFX", "DFY", "XMIN", "XMAX", "YMIN", "YMAX", "SM_WAVE", "SM_WIDTH", "SM_SCALE")
        packed[f"header_{quadrant}"] = np.array([header[name] for name in names], float)
    return packed


def fixed_slit_flat(folder: Path) -> Arrays:
    folder = folder / "extended_sensitivity"
    packed: Arrays = {}
    for path in sorted(folder.glob("fixed_slit_flat_profile_*.yaml")):
        table, slit = read_yaml(path), path.stem.rsplit("_", 1)[1]
        assert len(table["coeffs"]) == table["ydf"] * table["wdf"]
        shape = table["wdf"], table["ydf"]
        packed[f"coeffs_{slit}"] = np.reshape(np.array(table["coeffs"], float), shape)
        packed[f"limits_{slit}"] = np.array([table["minmax"], table["wminmax"]], float)
    ratio = read_yaml(folder / "sensitivity_ratio_s400a1_s200a1_001.yaml")
    packed["ratio_s400a1_s200a1"] = np.array(ratio["s400a1_s200a1_coefs"], float)
    return packed


def msa_sky(folder: Path) -> Arrays:
    """Differences of integers, which compress well; every visit has a range of one grid."""
    tables = {
        path.name.removesuffix("_sky.csv"): np.loadtxt(path, delimiter=",", skiprows=1)
        for path in sorted((folder / "msa_sky").glob("*_sky.csv"))
    }
    wave = np.unique(np.concatenate([table[:, 0] for table in tables.values()]))
    steps = np.zeros((len(tables), wave.size), np.int32)
    ranges = np.zeros((len(tables), 2), np.int16)
    for row, table in enumerate(tables.values()):
        start = int(np.searchsorted(wave, table[0, 0]))
        stop = start + len(table)
        assert np.array_equal(wave[start:stop], table[:, 0])
        counts = np.rint(table[:, 1] * 10**SKY_DECIMALS).astype(np.int32)
        assert np.array_equal(counts / 10**SKY_DECIMALS, table[:, 1])
        steps[row, start:stop] = np.diff(counts, prepend=0)
        ranges[row] = start, stop
    return {"visits": np.array(list(tables)), "wave": wave, "steps": steps, "ranges": ranges}


def lookup_psf(folder: Path, slit: str) -> Arrays:
    with np.load(folder / "psf" / f"nirspec_merged_{slit}_psf_lookup_001_f4.npz") as table:
        return {name: table[name] for name in table.files}


def main() -> None:
    folder = Path(sys.argv[1])
    tables = {
        "bar_shadow": bar_shadow(folder),
        "prism_normalization": prism_normalization(folder),
        "psf_fwhm": psf_fwhm(folder),
        "dispersion": dispersion(folder),
        "bad_pixels": bad_pixels(folder),
        "sensitivity": sensitivity(folder),
        "prism_sflat": prism_sflat(folder),
        "fixed_slit_flat": fixed_slit_flat(folder),
        "msa_sky": msa_sky(folder),
        "lookup_psf_s200a1": lookup_psf(folder, "s200a1"),
        "lookup_psf_s1600a1": lookup_psf(folder, "s1600a1"),
    }
    total = 0
    for name, arrays in tables.items():
        path = TARGET / f"{name}.npz"
        np.savez_compressed(path, **arrays)
        total += path.stat().st_size
        print(f"{path.name}: {path.stat().st_size / 1e3:.0f} kB")
    print(f"total {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
