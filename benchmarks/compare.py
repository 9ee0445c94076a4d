"""This package and its peers side by side, in one run on one machine.

    python benchmarks/compare.py resample [--rounds 5] [--case NAME]
    python benchmarks/compare.py open
    python benchmarks/compare.py mos [--slits 50] [--exposures 3]
    python benchmarks/compare.py files --files FILE [FILE ...]
    python benchmarks/compare.py fit --repeat 0 --rounds 1 [--case NAME]
    python benchmarks/compare.py trace --files FILE --repeat 0 --rounds 1
    python benchmarks/compare.py align --repeat 0 --rounds 1 [--case NAME]
    python benchmarks/compare.py combine --repeat 2 --rounds 3 [--case NAME] [--peer PYTHON]

``mos`` takes the bundled exposures as exposures of many slits, ``files`` exposures of yours. With
``trace`` a call works on a newly opened file; jwst needs minutes for one of an integral-field unit,
and so it does with ``fit``, all splines of a rendered frame. ``align`` renders images of
2048 x 2048 pixels with 1500 stars; the sum is that of their errors after the alignment [mas].
``combine`` is beside msaexp, run by an interpreter that has it; its first calls compile with numba.
msaexp 0.9.17 is what ``compat=True`` gives the numbers of, and the versions after it size pixels in
another way; earlier ones lack arguments of the class, have another grid and other masks.
Needs ``pip install .[peers]``. Each measurement is a process of its own, the two packages take
turns, and the fastest call of each process counts: machines are shared and noisy, so compare
ratios, not seconds. The results are compared too: a fast wrong answer is no answer.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

CASES = {
    "resample": {
        "slit1": "one exposure, open model to product",
        "slit3": "three exposures, open models to product",
        "slit3-files": "three exposures, files to product",
        "slit3-save": "three exposures, files to saved product",
    },
    "open": {"open": "open one exposure and its WCS"},
    "fit": {
        "fit-slit": "all splines of a slit, 2048 columns",
        "fit-mrs": "all splines of 38 slices of 1024 columns, MIRI MRS",
        "fit-ifu": "all splines of 30 slices of 2048 columns, NIRSpec IFU",
    },
    "trace": {
        "trace": "trace model of a file",
        "trace2": "trace model of a file, oversample=2",
        "trace2-all": "trace model of a file, oversample=2, fit_threshold=0: every column fitted",
    },
    "align": {
        "align4": "4 images aligned to each other, files to models",
        "align16": "16 images of as many exposures and a catalog, files to models",
        "align50": "50 images of as many exposures and a catalog, files to models",
    },
    "combine": {
        "combine-group": "SlitGroup of the three exposures",
        "combine-fit": "fit_all_traces(degree=0), three iterations",
        "combine-spectrum": "group to image and spectrum",
        "combine-sky": "estimate_sky, 51 functions",
        "combine-shutter": "fit_shutter_offset",
        "combine-files": "files to image and spectrum",
    },
    "mos": {
        "files": "files to product",
        "models": "open models to product",
    },
}
CASES["files"] = CASES["mos"]
PACKAGES = ("webbweave", "webbweave-compat", "jwst")
#: Instead of jwst.
PEERS = {"combine": "msaexp"}
#: jwst was not seen to finish these.
ALONE = ("align50",)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("topic", choices=CASES, help="what to compare")
    parser.add_argument("--rounds", type=int, default=5, help="processes per package (default: 5)")
    parser.add_argument("--repeat", type=int, default=5, help="calls per process (default: 5)")
    parser.add_argument("--case", help="one case only")
    parser.add_argument("--slits", type=int, default=50, help="slits of mos (default: 50)")
    parser.add_argument("--exposures", type=int, default=3, help="exposures of mos (default: 3)")
    parser.add_argument("--files", nargs="+", default=[], help="exposures of files")
    parser.add_argument("--peer", default=sys.executable, help="interpreter that has msaexp")
    parser.add_argument("--worker", nargs=2, metavar=("PACKAGE", "CASE"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        print(json.dumps(measure(*options.worker, options.repeat, options.files)))
        return
    with tempfile.TemporaryDirectory() as folder:
        if options.topic == "combine":
            from webbweave.data import example_exposures

            options.files = [str(path) for path in example_exposures()]
        if options.topic == "mos":
            options.files = many_slits(folder, options.slits, options.exposures)
        compare_cases(options)


def many_slits(folder: str, n_slit: int, n_exposure: int) -> list[str]:
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
    from replicate import multi_slit_files

    return [str(path) for path in multi_slit_files(folder, n_slit, n_exposure)]


def compare_cases(options: argparse.Namespace) -> None:
    for case, meaning in CASES[options.topic].items():
        if options.case not in (None, case):
            continue
        if options.topic != "align":
            compare(options, case, meaning)
            continue
        with tempfile.TemporaryDirectory() as folder:
            sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
            from rendered_images import rendered_images

            paths = rendered_images(folder, int(case.removeprefix("align"))).paths
            options.files = [str(path) for path in paths]
            compare(options, case, meaning)


def compare(options: argparse.Namespace, case: str, meaning: str) -> None:
    packages = [p for p in PACKAGES if case != "open" or p != "webbweave-compat"]
    packages[-1] = PEERS.get(options.topic, packages[-1])
    if case in ALONE:
        packages = ["webbweave"]
    rounds: dict[str, list[dict[str, Any]]] = {package: [] for package in packages}
    for _ in range(options.rounds):
        for package in packages:
            rounds[package].append(run_worker(options, package, case))
    print(f"\n{case}: {meaning} ({options.rounds} processes of {options.repeat} calls each)")
    heads = ("best [s]", "median [s]", "ratio", "first [s]", "ratio", "added [MB]", "peak [MB]")
    widths = (10, 12, 8, 11, 8, 12, 11)
    print(
        " " * 18 + "".join(f"{head:>{n}s}" for head, n in zip(heads, widths, strict=True)) + "  sum"
    )
    reference = rounds[packages[-1]]
    for package in packages:
        runs = rounds[package]
        best = min(run["best"] for run in runs)
        middle = statistics.median(run["best"] for run in runs)
        first = statistics.median(run["first"] for run in runs)
        ratio = statistics.median(
            peer["best"] / own["best"] for peer, own in zip(reference, runs, strict=True)
        )
        first_ratio = statistics.median(run["first"] for run in reference) / first
        memory = statistics.median(run["added_mb"] for run in runs)
        peak = statistics.median(run["peak_mb"] for run in runs)
        print(
            f"{package:18s}{best:10.4f}{middle:12.4f}{ratio:8.2f}{first:11.3f}{first_ratio:8.2f}"
            f"{memory:12.1f}{peak:11.1f}  {runs[0]['sum']:.6f}  ({runs[0]['version']})"
        )


def run_worker(options: argparse.Namespace, package: str, case: str) -> dict[str, Any]:
    python = options.peer if package == "msaexp" else sys.executable
    command = [python, __file__, options.topic, "--repeat", str(options.repeat)]
    if options.files:
        command += ["--files", *options.files]
    environment = os.environ | {
        # Keep the peer from asking its reference server for parameters.
        "STPIPE_DISABLE_CRDS_STEPPARS": "true",
        "CRDS_SERVER_URL": "https://crds.invalid",
        "CRDS_PATH": tempfile.gettempdir(),
    }
    if package.startswith("webbweave"):
        environment = dict(os.environ)
    # One core: threads of linear algebra that wait for each other count as CPU time.
    environment |= dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    done = subprocess.run(
        [*command, "--worker", package, case],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{package} failed on {case}:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measure(package: str, case: str, repeat: int, files: list[str]) -> dict[str, Any]:
    """Time one case here: CPU seconds of the first call, and of the best of all others."""
    import numpy as np

    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
    work = prepare(package, case, files)
    before = peak_mb()
    seconds = []
    for _ in range(repeat + 1):
        start = time.process_time()
        result = work()
        seconds.append(time.process_time() - start)
    return {
        "first": seconds[0],
        "best": min(seconds[1:] or seconds),
        "added_mb": peak_mb() - before,
        "peak_mb": peak_mb(),
        "sum": float(np.nansum(result, dtype=np.float64)),
        "version": importlib.metadata.version(package.partition("-")[0]),
    }


def peak_mb() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        # What getrusage tells includes the peak of the parent, from before the exec.
        (line,) = (row for row in status.read_text().splitlines() if row.startswith("VmHWM"))
        return float(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def prepare(package: str, case: str, files: list[str]) -> Callable[[], object]:
    """Import a package and return what is to be timed; it returns the science values."""
    if not files:
        from webbweave.data import example_exposures

        files = [str(path) for path in example_exposures()]
    if case.startswith("fit"):
        return prepare_fit(package, case)
    if case.startswith("align"):
        return prepare_align(package, case, files)
    if case.startswith("combine"):
        return prepare_combine(package, case, files)
    if case.startswith("trace"):
        return prepare_trace(package, case, files)
    if package == "jwst":
        from jwst.resample import ResampleSpecStep
        from stdatamodels.jwst.datamodels import open as open_model

        parameters: dict[str, object] = {}
    else:
        from webbweave import ResampleSpecStep
        from webbweave.datamodels import open_model

        parameters = {"compat": package.endswith("compat")}

    def resample(inputs: list[object]) -> object:
        data = inputs[0] if len(inputs) == 1 else inputs
        return science(ResampleSpecStep.call(data, configure_log=False, **parameters))

    if case == "open":
        return lambda: open_and_evaluate(open_model, files[0])
    if case in ("slit3-files", "files"):
        return lambda: resample([*files] if package != "jwst" else [open_model(f) for f in files])
    if case == "slit3-save":
        return lambda: save_and_return(open_model, ResampleSpecStep, files, package, parameters)
    models = [open_model(path) for path in (files[:1] if case == "slit1" else files)]
    return lambda: resample(models)


def frame_of_slices(case: str) -> tuple[tuple[object, ...], dict[str, object], int]:
    """What the fits take: flux, errors, alpha and regions; options as jwst has them; the slices."""
    import numpy as np

    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "helpers"))
    from synthetic_trace import make_scene

    options: dict[str, object] = {"lrange": 50, "space_ratio": 1.6}
    shape = {"n_column": 2048, "height": 35, "gap": 30, "tilt": 100.0, "curve": 8.0}
    labels = tuple(range(1, 31)) if case == "fit-ifu" else (1,)
    if case == "fit-mrs":
        options = {"lrange": 50, "space_ratio": 1.2, "spline_bkpt": 36, "require_ngood": 8}
        shape = {"n_column": 1024, "height": 24, "gap": 3, "tilt": 30.0, "curve": 3.0}
        labels = (*range(101, 122), *range(201, 218))
    scene = make_scene(labels=labels, noise=0.0, **shape)
    scene.flux[:] += np.random.default_rng(1).standard_normal(scene.flux.shape)
    return (scene.flux, scene.error, scene.alpha, scene.region_map), options, len(labels)


def prepare_fit(package: str, case: str) -> Callable[[], object]:
    """Fit every column of every slice."""
    import numpy as np

    arrays, options, n_slice = frame_of_slices(case)
    n_column = arrays[0].shape[1]
    if package == "jwst":
        from jwst.adaptive_trace_model.trace_model import fit_all_regions
    else:
        from webbweave.adaptive_trace_model.trace_model import fit_all_regions

        options["compat"] = package.endswith("compat")

    def fit() -> object:
        models = fit_all_regions(*arrays, **options)
        columns = sum(len(found) for found in models.values())
        assert columns == n_slice * n_column, f"{columns} columns fitted"
        return np.array([found[0]["scale"] for found in models.values()])

    return fit


def prepare_trace(package: str, case: str, files: list[str]) -> Callable[[], object]:
    parameters: dict[str, object] = {}
    if case.startswith("trace2"):
        parameters["oversample"] = 2.0
    if case.endswith("all"):
        parameters["fit_threshold"] = 0.0
    if package == "jwst":
        from jwst.adaptive_trace_model import AdaptiveTraceModelStep
        from stdatamodels.jwst.datamodels import open as open_model

        # process() does not ask for parameters of a reference server.
        return lambda: traced(AdaptiveTraceModelStep(**parameters).process(open_model(files[0])))
    from webbweave import AdaptiveTraceModelStep

    parameters["compat"] = package.endswith("compat")
    return lambda: traced(AdaptiveTraceModelStep(**parameters).process(files[0]))


def prepare_align(package: str, case: str, files: list[str]) -> Callable[[], object]:
    from rendered_images import read_truth

    truth = read_truth(Path(files[0]).parent)
    parameters: dict[str, object] = {"in_memory": True}
    if case != "align4":
        parameters |= {"abs_refcat": str(truth.catalog)}
    if package == "jwst":
        from jwst.tweakreg import TweakRegStep
        from stdatamodels.jwst.datamodels import open as open_model

        def align() -> object:
            # With its own separation of the absolute stage, without which it refuses.
            result = TweakRegStep(**parameters).run([open_model(path) for path in files])
            with result:
                models = [result.borrow(k) for k in range(len(files))]
                for k, model in enumerate(models):
                    result.shelve(model, k, modify=False)
            return errors_of(models)

    else:
        from webbweave import TweakRegStep

        parameters["compat"] = package.endswith("compat")

        def align() -> object:
            return errors_of(TweakRegStep(**parameters).run(files))

    def errors_of(models: object) -> object:
        assert {model.meta.cal_step.tweakreg for model in models} == {"COMPLETE"}
        return truth.errors(models)

    return align


def prepare_combine(package: str, case: str, files: list[str]) -> Callable[[], object]:
    """One part of the way from exposures to a spectrum; options of the tests of msaexp."""
    import numpy as np

    options: dict[str, object] = {"stuck_threshold": 0.5, "sky_file": None}
    if package == "msaexp":
        from msaexp_peer import import_msaexp

        slit_combine = import_msaexp()
    else:
        from webbweave import slit_combine

        options["compat"] = package.endswith("compat")

    def make() -> object:
        return slit_combine.SlitGroup(files, "1345_933", **options)

    def fit(group: object) -> object:
        # What an earlier call has found must not help.
        group.trace_coeffs = [coeffs * 0.0 for coeffs in group.trace_coeffs]
        group.update_trace_from_coeffs()
        group.fit_all_traces(degree=0, ref_exp=2, verbose=False)
        return group.fit[2]["theta"]

    # Early versions of msaexp correct for the path loss of a Gaussian without a table of profiles.
    drizzle = {**slit_combine.DRIZZLE_KWS, "with_pathloss": False}

    def spectrum(group: object) -> object:
        xobj = {"a": {"obj": group, "fit": group.fit}}
        product = slit_combine.combine_grating_group(xobj, ["a"], drizzle_kws=drizzle)
        table = product["SPEC1D"].data
        # Over the wavelength, so that the sum does not depend on the grid.
        return np.asarray(table["flux"]) * np.gradient(np.asarray(table["wave"]))

    def everything() -> object:
        group = make()
        fit(group)
        return spectrum(group)

    if case == "combine-files":
        return everything
    if case == "combine-group":
        return lambda: make().mask
    group = make()
    if case == "combine-fit":
        return lambda: fit(group)
    if case == "combine-spectrum":
        fit(group)
        return lambda: spectrum(group)

    def sky() -> object:
        group.estimate_sky()
        return group.sky_data["sky_model"]

    if case == "combine-sky":
        return sky
    sky()
    return lambda: np.atleast_1d(group.fit_shutter_offset(update=False).x)


def traced(product: object) -> object:
    """The traces of a product of one source or of many."""
    import numpy as np

    slits = getattr(product, "slits", [product])
    return np.concatenate([np.asarray(slit.trace_model).ravel() for slit in slits])


def science(product: object) -> object:
    """The science values of a product of one source or of many."""
    import numpy as np

    slits = getattr(product, "slits", None)
    return product.data if slits is None else np.concatenate([s.data.ravel() for s in slits])


def open_and_evaluate(open_model: Callable[..., object], path: str) -> object:
    model = open_model(path)  # held: the WCS of stdatamodels does not outlive its model
    return model.meta.wcs(170.0, 12.0)[2]  # type: ignore[attr-defined]


def save_and_return(
    open_model: Callable[..., object],
    step: object,
    files: list[str],
    package: str,
    parameters: dict[str, object],
) -> object:
    inputs = [open_model(path) for path in files] if package == "jwst" else files
    with tempfile.TemporaryDirectory() as folder:
        product = step.call(  # type: ignore[attr-defined]
            inputs,
            configure_log=False,
            save_results=True,
            output_dir=folder,
            output_file="product.fits",
            **parameters,
        )
        assert list(Path(folder).glob("*.fits")), "the product was not saved"
        return product.data


if __name__ == "__main__":
    main()
