"""Tests of the house itself: who may import whom, what is listed, what a wheel holds."""

from __future__ import annotations

import ast
import fnmatch
import importlib.metadata
import inspect
import json
import re
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import pytest

import webbweave

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "webbweave"
CSRC = ROOT / "csrc"

# The rooms of the house, from module names; the first pattern that fits decides.
ROOMS = [
    ("webbweave._kernels", "kernels"),
    ("webbweave._kernels.*", "kernels"),
    ("webbweave.columns", "base"),
    ("webbweave.errors", "base"),
    ("webbweave.parallel", "base"),
    ("webbweave.progress", "base"),
    ("webbweave.garbage", "base"),
    ("webbweave.messages", "base"),
    ("webbweave.data", "data"),
    ("webbweave.data.*", "data"),
    ("webbweave.datamodels", "datamodels"),
    ("webbweave.datamodels.*", "datamodels"),
    ("webbweave.wcs", "wcs"),
    ("webbweave.wcs.*", "wcs"),
    ("webbweave.stpipe", "stpipe"),
    ("webbweave.integration", "integration"),
    ("webbweave.report", "report"),
    ("webbweave.report.*", "report"),
    ("webbweave.cli", "cli"),
    ("webbweave.cli.*", "cli"),
    ("webbweave.__main__", "cli"),
    ("webbweave", "package"),
    ("webbweave.slit_combine.combine", "products"),
    ("webbweave.slit_combine.drizzle", "products"),
    ("webbweave.slit_combine.extract", "step"),
    ("webbweave.slit_combine.header", "products"),
    ("webbweave.slit_combine.lookup_psf", "products"),  # opens files of tables
    ("webbweave.slit_combine.plots", "report"),
    ("webbweave.slit_combine.splitting", "products"),
    ("webbweave.*.*_products", "products"),
    ("webbweave.*.products", "products"),  # between data models and arrays, for the step
    ("webbweave.*.sources", "products"),
    ("webbweave.slit_combine.inputs", "products"),
    ("webbweave.slit_combine.slit_group", "step"),  # opens files, calls the algorithms
    ("webbweave.slit_combine.group_*", "step"),  # and its base classes
    ("webbweave.*.many", "step"),  # the step on each of many sources
    ("webbweave.*.*_step", "step"),
    ("webbweave.*.*", "algorithm"),
    ("webbweave.*", "topic"),  # the __init__ of a topic: its public names
]

# What each room may import from the others, besides itself.
ARROWS = {
    "kernels": set(),
    "base": {"kernels"},
    "data": {"base"},
    "wcs": {"base", "kernels"},
    "algorithm": {"base", "kernels", "wcs", "data"},  # reference tables are data
    "datamodels": {"base", "kernels", "wcs", "data", "package"},
    "stpipe": {"base", "datamodels", "package"},
    "report": {"base", "algorithm", "data", "datamodels", "topic", "package"},
    "products": {"base", "algorithm", "wcs", "datamodels", "package"},
    "step": {
        "base",
        "kernels",
        "wcs",
        "algorithm",
        "products",
        "topic",
        "data",
        "datamodels",
        "stpipe",
        "report",
        "package",
    },
    "topic": {"base", "algorithm", "products", "step"},
    "integration": {"base", "step", "topic", "package"},
    "cli": {
        "base",
        "algorithm",
        "topic",
        "data",
        "datamodels",
        "stpipe",
        "report",
        "step",
        "package",
    },
    "package": {"base", "topic"},
}

# Imports from outside that a room may not use.
CLOSED_TO = {
    "kernels": ["astropy", "gwcs", "scipy", "stpipe", "stdatamodels"],
    "algorithm": ["astropy.io", "matplotlib", "stdatamodels.jwst.datamodels", "stpipe"],
    "wcs": ["astropy.io", "matplotlib", "stdatamodels.jwst.datamodels", "stpipe"],
    "datamodels": ["matplotlib", "stpipe"],
    "products": ["astropy.io", "matplotlib", "stpipe"],
    "step": ["astropy.io", "matplotlib"],
}
PEERS = {"drizzle", "grizli", "jwst", "msaexp", "numba", "stcal", "tweakwcs"}
THREADS = {"concurrent", "multiprocessing", "threading"}

# A file that reaches this number of lines is split by what it is about.
MOST_LINES = {
    "csrc/*.c": 500,
    "csrc/tests/*.c": 500,
    "src/webbweave/**/*.pyx": 150,
    "src/webbweave/**/*.py": 600,
}


def module_name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}
# Compiled modules are known by their stubs.
KNOWN = MODULES.keys() | {module_name(path) for path in PACKAGE.rglob("*.pyi")}


def room(name: str) -> str:
    return next(room for pattern, room in ROOMS if fnmatch.fnmatchcase(name, pattern))


def resolve(base: str, name: str) -> str:
    """The module that ``from base import name`` is about."""
    nested = f"{base}.{name}"
    if nested in KNOWN or not within(base, "webbweave"):
        return nested
    return webbweave._PUBLIC.get(name, base) if base == "webbweave" else base


def imports(name: str) -> Iterator[tuple[str, int, bool]]:
    """Yield each imported module of a module, its line, and whether only a type checker sees it."""
    path = MODULES[name]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parent = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parent, base] if base else parent)
            targets = [resolve(base, alias.name) for alias in node.names]
        else:
            continue
        for target in dict.fromkeys(targets):
            yield target, node.lineno, id(node) in typing_only


def within(target: str, package: str) -> bool:
    return target == package or target.startswith(package + ".")


def is_editable() -> bool:
    url = importlib.metadata.distribution("webbweave").read_text("direct_url.json")
    return bool(url) and json.loads(url).get("dir_info", {}).get("editable", False)


@pytest.mark.parametrize("name", MODULES)
def test_layers_imports_point_down_only(name):
    own = room(name)
    upward = [
        f"line {line}: {own} may not import {room(target)} ({target})"
        for target, line, _ in imports(name)
        if within(target, "webbweave") and room(target) not in ARROWS[own] | {own}
    ]
    assert not upward


@pytest.mark.parametrize("name", MODULES)
def test_layers_closed_doors(name):
    own = room(name)
    closed = []
    for target, line, typing_only in imports(name):
        top = target.partition(".")[0]
        if top in PEERS:
            closed.append(f"line {line}: {top} is for comparison only")
        if top in THREADS and name != "webbweave.parallel" and not typing_only:
            closed.append(f"line {line}: threads are the business of webbweave.parallel")
        closed += [
            f"line {line}: {own} may not import {package}"
            for package in CLOSED_TO.get(own, [])
            if within(target, package) and not typing_only
        ]
    assert not closed


def test_layers_the_test_itself_sees_a_wrong_arrow(tmp_path, monkeypatch):
    path = tmp_path / "pixmap.py"
    path.write_text(
        "from astropy.io import fits\n"
        "from ..datamodels import reading\n"
        "from . import resample_spec_step\n"
    )
    monkeypatch.setitem(MODULES, "webbweave.resample.pixmap", path)
    monkeypatch.setattr(
        sys.modules[__name__], "KNOWN", KNOWN | {"webbweave.resample.resample_spec_step"}
    )
    found = [target for target, _, _ in imports("webbweave.resample.pixmap")]
    assert found[0] == "astropy.io.fits"
    assert room("webbweave.resample.pixmap") == "algorithm"
    assert [room(target) for target in found[1:]] == ["datamodels", "step"]
    assert not {"datamodels", "step"} & ARROWS["algorithm"]


def listed_files() -> set[str]:
    """Every file of an install_sources call under src/webbweave, relative to src/webbweave."""
    found = set()
    for build in PACKAGE.rglob("meson.build"):
        text = re.sub(r"#.*", "", build.read_text(encoding="utf-8"))
        for call in re.findall(r"install_sources\(((?:[^()']|'[^']*')*)\)", text):
            positional = re.split(r"\b\w+\s*:", call)[0]
            found |= {
                (build.parent / name).relative_to(PACKAGE).as_posix()
                for name in re.findall(r"'([^']+)'", positional)
            }
    return found


def files_of_the_package() -> set[str]:
    """Every file under src/webbweave that belongs into a wheel as it is."""
    built = {".pyx", ".pxd", ".pyc", ".so", ".pyd", ".c", ".build"}
    return {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix not in built and not path.name.startswith(".")
    }


def test_every_file_is_listed_in_meson():
    assert listed_files() == files_of_the_package()


def test_every_binding_is_built_and_typed():
    text = (PACKAGE / "_kernels" / "meson.build").read_text(encoding="utf-8")
    bindings = {path.stem for path in (PACKAGE / "_kernels").glob("*.pyx")}
    assert bindings
    assert bindings == {path.stem for path in (PACKAGE / "_kernels").glob("*.pyi")}
    assert bindings <= set(re.findall(r"'(\w+)'", text))


def test_every_c_file_is_built_and_tested():
    text = (CSRC / "meson.build").read_text(encoding="utf-8")
    sources = {path.name for path in CSRC.glob("*.c")}
    assert sources
    assert sources == set(re.findall(r"'(\w+\.c)'", text))
    tests = {path.stem.removeprefix("test_") for path in (CSRC / "tests").glob("test_*.c")}
    assert tests <= set(re.findall(r"'(\w+)'", text))


def test_import_is_light():
    code = "import json, sys, webbweave; print(json.dumps(sorted(sys.modules)))"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    heavy = {"asdf", "astropy.io.fits", "gwcs", "matplotlib", "photutils", "scipy", "stpipe"}
    assert heavy.isdisjoint(json.loads(answer.stdout))


def test_public_names_exist_and_are_typed():
    for name in webbweave.__all__:
        assert getattr(webbweave, name) is not None
    stub = ast.parse((PACKAGE / "__init__.pyi").read_text(encoding="utf-8"))
    typed = {
        alias.asname
        for node in stub.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert typed == set(webbweave.__all__) - {"__version__"}
    assert set(dir(webbweave)) >= set(webbweave.__all__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = webbweave.no_such_name


@pytest.mark.parametrize("step", ["ResampleSpecStep", "AdaptiveTraceModelStep", "TweakRegStep"])
def test_every_parameter_is_documented(step):
    from webbweave.stpipe import HOUSEKEEPING

    step = getattr(webbweave, step)
    page = (ROOT / "docs" / f"{step.class_alias}.rst").read_text(encoding="utf-8")
    table = page.partition("Parameters\n---")[2].partition("\n\nBesides these")[0]
    documented = set(re.findall(r"\* - ``(\w+)``\n     -", table))
    assert documented <= set(step.load_spec_file())
    assert documented >= set(step.load_spec_file()) - HOUSEKEEPING | {"maximum_cores"}


def test_every_argument_of_slit_group_is_documented():
    page = (ROOT / "docs/slit_combine.rst").read_text(encoding="utf-8")
    table = page.partition("Parameters\n---")[2].partition("\n\nBesides these")[0]
    documented = re.findall(r"\* - ``(\w+)``\n     -(.*)\n", table)
    parameters = inspect.signature(webbweave.SlitGroup).parameters.values()
    named = [parameter for parameter in parameters if parameter.kind != parameter.VAR_KEYWORD]
    assert [name for name, _ in documented] == [parameter.name for parameter in named]
    for (name, said), parameter in zip(documented, named, strict=True):
        default = parameter.default
        if default is parameter.empty:
            assert not said, name
        else:
            shown = dict(default) if isinstance(default, Mapping) else default
            assert said.strip().strip("`") == repr(shown), name


def without_comments(text: str) -> str:
    """C without comments and without what stands between quotes."""
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    text = re.sub(r"//[^\n]*", "", text)
    return re.sub(r'"(\\.|[^"\\\n])*"', '""', text)


def mutable_statics(text: str) -> list[str]:
    """Variables that outlive a call and may change: file scope, or static in a function."""
    text = re.sub(r"^\s*#(\\\n|[^\n])*", "", without_comments(text), flags=re.MULTILINE)
    found = [
        line.strip()
        for line in re.findall(r"^[ \t]+static\b[^\n]*", text, flags=re.MULTILINE)
        if not re.match(r"\s+static\s+const\b", line)
    ]
    outside, depth = [], 0
    for piece in re.split(r"([{}])", text):
        if piece == "{":
            depth += 1
        elif piece == "}":
            depth -= 1
            outside.append("{}" if depth == 0 else "")
        elif depth == 0:
            outside.append(piece)
    for statement in re.split(r";|\)\s*\{\}", "".join(outside)):
        words = statement.split()
        harmless = {"typedef", "enum", "struct", "union", "extern", "const"}
        if words and "(" not in statement and harmless.isdisjoint(words):
            found.append(" ".join(words))
    return found


@pytest.mark.parametrize("path", sorted([*CSRC.glob("*.[ch]")]), ids=lambda path: path.name)
def test_c_library_stands_alone(path):
    text = path.read_text(encoding="utf-8")
    headers = set(re.findall(r'#\s*include\s*[<"]([^>"]+)[>"]', text))
    assert not headers & {"Python.h", "omp.h", "stdio.h", "pthread.h", "threads.h"}
    assert not re.findall(r"\b(?:f|s|sn|v)?printf\b|\bputs\b|\bomp_\w+", without_comments(text))
    assert not mutable_statics(text)


def test_c_library_check_itself_sees_globals():
    text = """
    #include <math.h>
    /* static int in_a_comment; */
static int counter;
static const double TABLE[] = {1.0, 2.0};
typedef struct { int n; } thing;
double shared[3] = {0};
static int f(int n) { static int calls; static const int two = 2; return n + two; }
int
g(void)
{
    static int seen = 0;
    return 0;
}
"""
    assert mutable_statics(text) == [
        "static int seen = 0;",
        "static int counter",
        *["double shared[3] = {}"],
    ]


@pytest.mark.parametrize("pattern", MOST_LINES)
def test_files_stay_small(pattern):
    lines = {
        path.relative_to(ROOT).as_posix(): len(path.read_text(encoding="utf-8").splitlines())
        for path in ROOT.glob(pattern)
    }
    assert lines
    assert {name: n for name, n in lines.items() if n >= MOST_LINES[pattern]} == {}


def test_only_the_command_line_prints():
    printing = [
        f"{name}:{node.lineno}"
        for name, path in MODULES.items()
        if room(name) != "cli"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    ]
    assert not printing


def test_a_mark_of_unfinished_work_names_its_issue():
    mark = re.compile(r"\b(?:TO[D]O|FIX[M]E|XX[X])\b(?!.*#\d+)")
    unnamed = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in ("benchmarks", "csrc", "docs", "src", "tests")
        for path in (ROOT / folder).rglob("*")
        if path.suffix in {".c", ".h", ".py", ".pyi", ".pyx", ".rst"}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if mark.search(line)
    ]
    assert not unnamed


def test_version_is_the_one_of_the_build_file():
    text = (ROOT / "meson.build").read_text(encoding="utf-8")
    (version,) = re.findall(r"^\s*version:\s*'([^']+)'", text, flags=re.MULTILINE)
    assert importlib.metadata.version("webbweave") == version
    assert webbweave.__version__ == version
    recipe = (ROOT / "recipe" / "recipe.yaml").read_text(encoding="utf-8")
    assert f'version: "{version}"' in recipe


@pytest.fixture
def installed() -> dict[str, PurePosixPath]:
    """The files of the installed distribution inside the package, by name relative to it."""
    if is_editable():
        pytest.skip("an editable install has no files of its own")
    files = importlib.metadata.files("webbweave")
    assert files is not None
    inside = [PurePosixPath(file) for file in files if file.parts[0] == "webbweave"]
    return {
        str(file.relative_to("webbweave")): file
        for file in inside
        if "__pycache__" not in file.parts
    }


def test_wheel_holds_the_package_and_its_data(installed):
    compiled = {name for name in installed if name.endswith((".so", ".pyd"))}
    assert installed.keys() - compiled == files_of_the_package()
    assert {"py.typed", "__init__.pyi"} <= installed.keys()
    assert any(name.startswith("data/") and name.endswith(".fits") for name in installed)
    assert any(name.startswith("data/") and "/LICENSE" in name for name in installed)


def test_wheel_holds_no_sources_of_the_extensions(installed):
    everything = [PurePosixPath(file) for file in importlib.metadata.files("webbweave")]
    assert not [
        str(file) for file in everything if file.suffix in {".a", ".c", ".h", ".lib", ".pyx"}
    ]


def test_wheel_extensions_use_the_stable_abi(installed):
    compiled = [file for name, file in installed.items() if name.endswith((".so", ".pyd"))]
    bindings = {path.stem for path in (PACKAGE / "_kernels").glob("*.pyx")}
    assert {file.name.partition(".")[0] for file in compiled} >= bindings
    wheel = importlib.metadata.distribution("webbweave").read_text("WHEEL")
    stable = not sysconfig.get_config_var("Py_GIL_DISABLED")  # free-threaded Python has none yet
    assert ("-abi3-" in wheel) is stable
    if sys.platform != "win32":  # where the name of a module does not tell
        assert all((".abi3." in file.name) is stable for file in compiled)
