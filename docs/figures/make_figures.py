"""
Draw the figures of the user guide: ``python docs/figures/make_figures.py``.

They are made of the exposures that come with the package and of those that the tests render, with
fixed seeds, and are written beside this file. What the captions state is printed.
"""

# ruff: noqa: T201
from __future__ import annotations

import dataclasses
import io
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from saving import save_small
from scipy.ndimage import binary_erosion, uniform_filter

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "tests" / "helpers"))

import synthetic  # noqa: E402

from webbweave.data import example_exposures  # noqa: E402
from webbweave.datamodels import read_model  # noqa: E402
from webbweave.resample import ResampleOptions, resample_slit  # noqa: E402
from webbweave.resample.matrix import resampling_matrix  # noqa: E402
from webbweave.resample.products import slit_inputs  # noqa: E402
from webbweave.resample.wavelength_grid import design_table  # noqa: E402
from webbweave.resample.weights import pixel_weights  # noqa: E402

N_REALISATION = 300

# Okabe & Ito (2008), told apart by colour-blind readers.
BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#595959"
NO_DATA = "#c4c4c4"

STYLE = {
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "image.interpolation": "nearest",
}


def bundled():
    return [slit_inputs(path.name, read_model(path))[0].exposure() for path in example_exposures()]


def save(figure, name):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    plt.close(figure)
    save_small(buffer.getvalue(), name, most_kb=80.0)


def realise(exposures, matrices, shape, rng):
    """Products that are nothing but noise: shape (N_REALISATION, ny, nx)."""
    noise = 0.0
    for exposure, matrix in zip(exposures, matrices, strict=True):
        sigma = np.where(exposure.good, np.sqrt(sum(exposure.variances.values())), 0.0).ravel()
        noise = noise + matrix @ (sigma[:, None] * rng.standard_normal((sigma.size, N_REALISATION)))
    return noise.T.reshape(N_REALISATION, *shape)


def compat_matrices(exposures, result):
    """What the scheme of jwst does to the pixels, as matrices."""
    inverse = np.divide(
        1.0, result.weight, out=np.zeros(result.data.shape), where=result.weight > 0
    )
    for exposure, weight in zip(exposures, pixel_weights(exposures, "ivm"), strict=True):
        shares = resampling_matrix(
            weight, result.grid.pixel_map(exposure), result.grid.shape, compat=True
        )
        yield (shares * inverse.ravel()[None, :]).T.tocsr()


def inner(result):
    """Pixels with half the usual weight or more, away from the ends."""
    inside = result.weight > 0.5 * np.median(result.weight[result.weight > 0])
    inside[:, :6] = inside[:, -6:] = False
    return inside


def ratio_of_boxes(noise, result, size):
    full = binary_erosion(inner(result), np.ones((size, size)))
    found = (uniform_filter(noise, (0, size, size)) * size**2).std(axis=0)[full]
    variance = np.nan_to_num(result.error.astype(float) ** 2)
    return found / np.sqrt(uniform_filter(variance, size)[full] * size**2)


def ratio_of_lines(noise, result):
    """Five columns by nine rows around the source, as a line is integrated."""
    middle = result.grid.n_row // 2
    rows = slice(middle - 4, middle + 5)
    ratios = []
    for start in range(10, result.grid.shape[1] - 15):
        window = (rows, slice(start, start + 5))
        if inner(result)[window].all():
            found = noise[(slice(None), *window)].sum(axis=(1, 2)).std()
            ratios.append(found / np.sqrt((result.error[window].astype(float) ** 2).sum()))
    return np.array(ratios)


def ratio_of_channels(noise, result):
    """Nine rows of one column, as a spectrum is extracted: stated by VAR, and by COVAR."""
    middle = result.grid.n_row // 2
    rows = np.zeros((result.grid.n_row, 1), dtype=bool)
    rows[middle - 4 : middle + 5] = True
    full = inner(result)[rows[:, 0]].all(axis=0)
    found = noise[:, rows[:, 0]].sum(axis=1).std(axis=0)[full]
    plain = np.sqrt((result.error.astype(float) ** 2)[rows[:, 0]].sum(axis=0)[full])
    exact = np.sqrt(result.covariance.variance_of_sum(rows, axis=0)[full])
    return found / plain, found / exact


def errors():
    exposures = bundled()
    rng = np.random.default_rng(300)
    compat = resample_slit(exposures, ResampleOptions(compat=True))
    noise = realise(exposures, compat_matrices(exposures, compat), compat.grid.shape, rng)
    ratios = {"compat=True": (noise.std(axis=0) / compat.error)[inner(compat)]}
    total = resample_slit(exposures, ResampleOptions(save_matrix=True))
    pixel = resample_slit(exposures, ResampleOptions(error_mode="pixel"))
    plain = resample_slit(exposures, ResampleOptions(error_aperture=np.inf))
    noise = realise(exposures, total.matrix, total.grid.shape, rng)
    ratios["'pixel'"] = (noise.std(axis=0) / pixel.error)[inner(pixel)]
    sums = {
        "5 x 5 pixels": ratio_of_boxes(noise, total, 5),
        "9 x 9 pixels": ratio_of_boxes(noise, total, 9),
        "line (5 x 9)": ratio_of_lines(noise, total),
    }
    channel, exact = ratio_of_channels(noise, total)
    print("medians of true scatter over reported error:")
    more = {
        "one channel, VAR of 'total'": channel,
        "one channel, VAR of 'pixel'": ratio_of_channels(noise, pixel)[0],
        "one channel, COVAR": exact,
    }
    for size in (5, 9):
        more[f"{size} x {size}, inf"] = ratio_of_boxes(noise, plain, size)
        more[f"{size} x {size}, 'pixel'"] = ratio_of_boxes(noise, pixel, size)
    more["line, inf"] = ratio_of_lines(noise, plain)
    for label, values in (ratios | sums | more).items():
        print(f"  {label:28s} {np.nanmedian(values):.3f}")

    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(9.2, 3.1), layout="constrained")
    bins = np.linspace(0.4, 1.4, 81)
    for (label, values), colour in zip(ratios.items(), (ORANGE, BLUE), strict=True):
        left.hist(values, bins, density=True, color=colour, alpha=0.75, label=label)
    left.set_title("single pixels")
    for (label, values), colour in zip(sums.items(), (BLUE, GREEN, PURPLE), strict=True):
        middle.hist(
            values, bins, density=True, histtype="step", linewidth=1.6, color=colour, label=label
        )
    middle.set_title("sums, error_mode='total'")
    for axes in (left, middle):
        axes.axvline(1.0, color=GREY, linewidth=1, linestyle=":")
        axes.set(
            xlabel="true scatter / reported error", ylabel="density of pixels", xlim=(0.4, 1.4)
        )
        axes.legend(loc="upper left", handlelength=1.2)
        axes.set_ylim(0, 1.45 * axes.get_ylim()[1])
    draw_correlations(right, noise, total)
    save(figure, "errors")


def exact_ratio(exposures, matrices, result, n_row, n_column):
    """Median true scatter of sums over their stated error, without any simulation."""
    variances = [
        np.where(exposure.good, sum(exposure.variances.values()), 0.0).ravel().astype(float)
        for exposure in exposures
    ]
    inside = inner(result)
    ny, nx = inside.shape
    middle = ny // 2 - n_row // 2
    ratios = []
    for y in range(ny - n_row + 1) if n_row == n_column else [middle]:
        for x in range(6, nx - n_column - 6, 3):
            window = (slice(y, y + n_row), slice(x, x + n_column))
            if not inside[window].all():
                continue
            box = np.zeros((ny, nx))
            box[window] = 1.0
            coefficients = (matrix.T @ box.ravel() for matrix in matrices)
            true = sum((c**2 * v).sum() for c, v in zip(coefficients, variances, strict=True))
            ratios.append(np.sqrt(true / (result.error[window].astype(float) ** 2).sum()))
    return np.median(ratios)


def table_of_sums():
    """Print the table of the user guide."""
    exposures = bundled()
    shapes = ((5, 5), (9, 9), (9, 5), (3, 3), (9, 1), (1, 1))
    modes = {
        "total": {},
        "total, inf": {"error_aperture": np.inf},
        "pixel": {"error_mode": "pixel"},
        "compat": {"compat": True},
    }
    for grid in ("native", 2):
        print(f"exact ratios, wavelength_grid {grid}, rows x columns:")
        for label, settings in modes.items():
            is_compat = label == "compat"
            options = ResampleOptions(wavelength_grid=grid, save_matrix=not is_compat, **settings)
            result = resample_slit(exposures, options)
            matrices = list(compat_matrices(exposures, result)) if is_compat else result.matrix
            ratios = [
                f"{ny} x {nx} {exact_ratio(exposures, matrices, result, ny, nx):.3f}"
                for ny, nx in (shapes if grid == "native" else shapes[:1])
            ]
            print(f"  {label:12s}", ", ".join(ratios))


def draw_correlations(axes, noise, result):
    steps = {(0, 1): "wavelength", (1, 0): "along the slit", (1, 1): "diagonal"}
    inside = inner(result)
    print("correlations, stated and found:")
    for (step, label), colour in zip(steps.items(), (BLUE, ORANGE, GREEN), strict=True):
        stated = result.covariance.correlation(*step)
        shifted = np.roll(noise, (-step[0], -step[1]), axis=(1, 2))
        both = inside & np.roll(inside, (-step[0], -step[1]), axis=(0, 1)) & np.isfinite(stated)
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (noise * shifted).mean(axis=0) / (noise.std(axis=0) * shifted.std(axis=0))
        print(f"  {label:28s} {np.median(stated[both]):.3f} {np.median(found[both]):.3f}")
        edges = np.quantile(stated[both], np.linspace(0, 1, 13))
        bins = np.clip(np.searchsorted(edges, stated[both]) - 1, 0, 11)
        x = [np.mean(stated[both][bins == k]) for k in range(12)]
        y = [np.mean(found[both][bins == k]) for k in range(12)]
        axes.plot(x, y, "o", color=colour, markersize=4, label=label)
    axes.plot([0, 0.5], [0, 0.5], color=GREY, linewidth=1, linestyle=":")
    axes.set(
        xlabel="correlation by COVAR",
        ylabel="correlation found",
        xlim=(0, 0.5),
        ylim=(0, 0.5),
        title="neighbouring pixels",
        aspect="equal",
    )
    axes.legend(loc="upper left", handletextpad=0.2)


def wavelength_ticks(axes, wavelength):
    marks = np.arange(1.5, 5.1, 0.5)
    axes.set_xticks(np.interp(marks, wavelength, np.arange(wavelength.size)))
    axes.set_xticklabels([f"{mark:.1f}" for mark in marks])


def slit_edges():
    exposures = bundled()
    default = resample_slit(exposures)
    compat = resample_slit(exposures, ResampleOptions(compat=True))
    figure, rows = plt.subplots(3, 1, figsize=(8.6, 5.4), layout="constrained")
    ny, nx = default.data.shape
    limits = np.nanpercentile(default.data, [2, 99.5])
    shown = rows[0].imshow(
        np.ma.masked_invalid(default.data),
        origin="lower",
        aspect="auto",
        cmap=with_no_data("viridis"),
        vmin=limits[0],
        vmax=limits[1],
    )
    figure.colorbar(shown, ax=rows[0], label="MJy/sr", pad=0.01)
    rows[0].set_title(f"signal, default: {ny} rows x {nx} columns")
    colours = ListedColormap(["#c6dbef", "#4292c6", "#08306b"])
    colours.set_bad(NO_DATA)
    for axes, result, title in ((rows[1], default, "default"), (rows[2], compat, "compat=True")):
        count = np.bitwise_count(result.context[0].view(np.uint32)).astype(float)
        count[result.weight <= 0] = np.nan
        shown = axes.imshow(
            np.ma.masked_invalid(count),
            origin="lower",
            aspect="auto",
            cmap=colours,
            vmin=0.5,
            vmax=3.5,
        )
        figure.colorbar(shown, ax=axes, label="exposures", ticks=[1, 2, 3], pad=0.01)
        filled = np.count_nonzero(result.weight > 0)
        axes.set_title(f"exposures per pixel, {title}: {filled} pixels with data")
    for axes, result in zip(rows, (default, default, compat), strict=True):
        axes.set_ylabel("row")
        wavelength_ticks(axes, result.wavelength[0])
    rows[2].set_xlabel("wavelength [micron]")
    save(figure, "slit_edges")


def with_no_data(name):
    colours = matplotlib.colormaps[name].copy()
    colours.set_bad(NO_DATA)
    return colours


def robust():
    rng = np.random.default_rng(7)
    clean = bundled()
    struck = []
    for exposure in clean:
        data = exposure.data.copy()
        places = rng.choice(np.flatnonzero(exposure.good), 40, replace=False)
        data.flat[places] += rng.uniform(0.5, 3.0, places.size).astype(np.float32)
        made = dataclasses.replace(exposure, data=data)
        made.__dict__["grid"] = exposure.grid
        struck.append(made)
    truth = resample_slit(clean)
    results = {
        "combine='mean'": resample_slit(struck),
        "combine='median'": resample_slit(struck, ResampleOptions(combine="median")),
        "combine='clip'": resample_slit(struck, ResampleOptions(combine="clip")),
    }
    n_rejected = results["combine='clip'"].n_rejected
    print(f"rejected {n_rejected} pixels, 120 are struck;")
    print(
        f"  {resample_slit(clean, ResampleOptions(combine='clip')).n_rejected} without any struck"
    )
    figure, rows = plt.subplots(4, 1, figsize=(8.6, 5.6), layout="constrained", sharex=True)
    panels = {"no cosmic rays, combine='mean'": truth} | results
    for axes, (title, result) in zip(rows, panels.items(), strict=True):
        shown = axes.imshow(
            np.ma.masked_invalid(result.data),
            origin="lower",
            aspect="auto",
            cmap=with_no_data("viridis"),
            vmin=-0.1,
            vmax=0.5,
        )
        axes.contour(truth.context[0] == 0b111, [0.5], colors="white", linewidths=0.7)
        axes.set(title=title, ylabel="row")
    wavelength_ticks(rows[-1], truth.wavelength[0])
    rows[-1].set_xlabel("wavelength [micron]")
    figure.colorbar(shown, ax=rows, label="MJy/sr", pad=0.01, aspect=40)
    save(figure, "robust")


def two_detectors():
    """The blue and the red third of a spectrum, as two exposures with nothing between."""
    exposures = []
    for name, (x0, x1) in (("nrs1", (-0.5, 79.5)), ("nrs2", (139.5, 219.5))):
        wcs = synthetic.slit_wcs()
        wcs.bounding_box = ((x0, x1), (-0.5, synthetic.SHAPE[0] - 0.5))
        exposures.append(synthetic.exposure(wcs=wcs, name=name))
    return exposures


def grids():
    exposures = bundled()
    native = resample_slit(exposures[:1]).grid.table.wavelengths
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.2), layout="constrained")
    choices = {"'native'": "native", "2": 2, "'linear'": "linear", "'log'": "log"}
    colours = (GREY, PURPLE, BLUE, ORANGE)
    for (label, choice), colour in zip(choices.items(), colours, strict=True):
        wavelengths = design_table(native, choice).wavelengths
        step = 1000 * np.diff(wavelengths)
        middle = (wavelengths[1:] + wavelengths[:-1]) / 2
        left.plot(middle, step, color=colour, label=f"{label}: {wavelengths.size} columns")
    left.set(xlabel="wavelength [micron]", ylabel="width of a column [nm]", ylim=(0, 31))
    left.set_title("wavelength_grid, bundled prism exposure")
    left.legend(loc="upper right")
    exposures = two_detectors()
    for compat, colour, label in ((True, ORANGE, "compat=True"), (False, BLUE, "default")):
        table = resample_slit(exposures, ResampleOptions(compat=compat)).grid.table
        jumps = np.flatnonzero(np.diff(table.points) == 0) + 1
        points, values = (np.insert(a, jumps, np.nan) for a in (table.points, table.values))
        middle = int(np.argmax(np.diff(table.wavelengths)))
        right.plot(points - middle, values, color=colour, label=label)
        whole = points == np.round(points)
        right.plot(points[whole] - middle, values[whole], ".", color=colour, markersize=5)
    right.set(
        xlabel="column, from the last before the gap",
        ylabel="wavelength [micron]",
        xlim=(-6, 7),
        ylim=(2.0, 2.6),
    )
    right.set_title("two detectors with a gap between")
    right.legend(loc="upper left")
    save(figure, "grids")


if __name__ == "__main__":
    with plt.rc_context(STYLE):
        for draw in (errors, table_of_sums, slit_edges, robust, grids):
            draw()
