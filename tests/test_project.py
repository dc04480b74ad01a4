"""What holds the project together: imports run one way, every dependency is declared and pinned, the README is true."""

import ast
import fnmatch
import graphlib
import json
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import jupytext
import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "torchfakes_utils"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# The order in which data flows: a room imports from those before it. Outside stand `errors` and `language`.
ROOMS = [
    "io", "datasets", "metrics", "faces", "models", "crops", "training", "evaluation", "explanation", "audio",
    "temporal", "report", "hub", "inference", "export", "app", "course", "cli",
]  # fmt: skip

# Import names that differ from the name of the distribution.
DISTRIBUTIONS = {
    "cv2": "opencv-python-headless", "PIL": "pillow", "skimage": "scikit-image", "sklearn": "scikit-learn",
    "pytorch_grad_cam": "grad-cam", "facenet_pytorch": "facenet-pytorch", "IPython": "ipython", "xdist": "pytest-xdist",
    "yaml": "pyyaml",
}  # fmt: skip
# Present wherever the distribution on the right is, whose public interface they are part of.
CARRIED = {
    "IPython": "ipykernel", "matplotlib_inline": "ipykernel", "traitlets": "ipywidgets",
    "gradio_client": "gradio", "torchao": "executorch",
}  # fmt: skip


def imports(source: str, top_only: bool = False) -> set[str]:
    """The dotted names that a piece of code imports; `top_only` leaves out what is imported inside a function."""
    tree = ast.parse(source)
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    found = set()
    for node in ast.walk(tree):
        if top_only and id(node) in inside:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def rooms_of(names: set[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("torchfakes_utils.")} & set(ROOMS)


@pytest.mark.parametrize("module", MODULES, ids=lambda path: path.relative_to(PACKAGE).as_posix())
def test_imports_run_down_only(module):
    above = ROOMS[ROOMS.index(room(module)) + 1 :]
    upwards = rooms_of(imports(module.read_text())) & set(above)
    assert not upwards, f"{module.relative_to(ROOT)} imports from {', '.join(sorted(upwards))}, which come after it"


def test_every_module_has_a_room():
    outside = {path.name for path in PACKAGE.glob("*.py")} - {"__init__.py", "__main__.py", "errors.py", "language.py"}
    assert not outside, f"{outside}: which stage are they of?"
    assert {path.parent.name for path in PACKAGE.glob("*/__init__.py")} == set(ROOMS)


def test_no_cycle_within_a_room():
    def name(path: Path) -> str:
        return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")

    modules = {name(path): imports(path.read_text()) for path in MODULES}
    # `from package import module` names a module, `from module import thing` a thing in one.
    graph = {
        start: {
            max((found for found in modules if f"{one}.".startswith(f"{found}.")), key=len, default="") for one in names
        }
        for start, names in modules.items()
    }
    for start, found in graph.items():
        found -= {start, ""}
    sorter = graphlib.TopologicalSorter(graph)
    sorter.prepare()  # raises CycleError, which names the way


def test_relative_imports_are_not_used():
    for path in PACKAGE.rglob("*.py"):
        levels = [node.level for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        assert not any(levels), f"{path.name}: import torchfakes_utils.… by its full name"


def test_the_package_and_its_command_line_load_nothing_heavy():
    probe = (
        "import sys, torchfakes_utils, torchfakes_utils.course, torchfakes_utils.cli.main; "
        "heavy = {'torch', 'matplotlib', 'pandas', 'gradio', 'ipywidgets', 'nbclient'} & set(sys.modules); "
        "sys.exit(', '.join(heavy) or None)"
    )
    result = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"importing the package loads {result.stderr.strip()}"


def declared(*extras: str) -> set[str]:
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    return {canonicalize_name(Requirement(line).name) for requirements in lists for line in requirements}


def third_party(source: str) -> set[str]:
    """The distributions that a piece of code needs."""
    tops = (
        {name.split(".")[0] for name in imports(source)} - {"torchfakes_utils", "google"} - set(sys.stdlib_module_names)
    )
    return {canonicalize_name(CARRIED.get(top, DISTRIBUTIONS.get(top, top))) for top in tops}


def test_a_wheel_holds_what_is_no_module():
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    patterns = pyproject["tool"]["setuptools"]["package-data"]["torchfakes_utils"]
    tracked = subprocess.run(["git", "ls-files", PACKAGE], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    data = [
        Path(line).relative_to(PACKAGE.name).as_posix() for line in tracked.splitlines() if not line.endswith(".py")
    ]
    assert "datasets/official_splits/NOTICE.md" in data
    assert not [path for path in data if not any(fnmatch.fnmatch(path, pattern) for pattern in patterns)]


def test_every_import_is_declared():
    extras = tuple(PROJECT["optional-dependencies"])
    used = declared("app", "audio", "cluster", "export", "phone", "timm", "trackers", "world")
    for path in MODULES:
        assert third_party(path.read_text()) <= (declared("course") if room(path) == "course" else used), path.name
    for path in (ROOT / "tests").rglob("*.py"):
        assert third_party(path.read_text()) - {"cases", "common", "helpers"} <= declared(*extras), path.name
    for path in (ROOT / "notebooks" / "source").glob("*.py"):
        cells = jupytext.reads(path.read_text(), fmt="py:percent").cells
        code = "\n".join(cell.source for cell in cells if cell.cell_type == "code" and not cell.source.startswith("%"))
        # Whatever else a lesson needs, it asks for by name.
        asked = re.findall(r'colab\.extra\("(\w+)"\)', code)
        assert third_party(code) <= declared("course", *asked), path.name


def constraints() -> dict[str, str]:
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    requirements = [Requirement(line) for line in lines]
    return {canonicalize_name(requirement.name): str(requirement.specifier) for requirement in requirements}


def test_every_dependency_is_pinned():
    pins = constraints()
    assert all(re.fullmatch(r"==[\w.]+", version) for version in pins.values()), "exact, and no local versions (+cpu)"
    missing = declared(*PROJECT["optional-dependencies"]) - set(pins)
    assert not missing, f"{sorted(missing)} not in constraints.txt: make lock"
    for requirement in map(Requirement, PROJECT["dependencies"]):
        assert requirement.specifier.contains(pins[canonicalize_name(requirement.name)][2:]), requirement
    # CUDA's wheels come with torch, which names the exact ones.
    assert not [name for name in pins if name.startswith(("nvidia-", "cuda-", "triton"))]
    assert "://" not in (ROOT / "constraints.txt").read_text()


def test_what_the_dependencies_need_is_pinned_too():
    """Walks through what is installed here, so that nothing that core, course and dev bring along is left open."""
    pins, seen = constraints(), set()
    waiting = [(name, frozenset()) for name in declared("course", "dev")]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen or name.startswith(("nvidia-", "cuda-", "triton")):
            continue
        seen.add((name, extras))
        try:
            distribution = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        assert name in pins, f"{name} not in constraints.txt: make lock"
        for line in distribution.requires or []:
            requirement = Requirement(line)
            if requirement.marker is None or any(
                requirement.marker.evaluate({"extra": extra}) for extra in ("", *extras)
            ):
                waiting.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))


def test_one_list_of_dependencies():
    text = (ROOT / "environment.yml").read_text()
    assert "--editable .[app,audio,cluster,course,dev,export,phone,site,timm,trackers]" in text
    assert "--constraint constraints.txt" in text
    assert not [name for name in declared("course", "dev") if f"- {name}" in text]


def test_readme_commands_exist():
    readme = "\n".join((ROOT / name).read_text() for name in ("README.md", ".github/CONTRIBUTING.md"))
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|^ {4}|&& )make ([a-z]+)", readme, re.MULTILINE)) <= targets
    command_line = [sys.executable, "-m", "torchfakes_utils", "--help"]
    text = subprocess.run(command_line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in set(re.findall(r"^ {4}torchfakes ([a-z]+)", readme, re.MULTILINE)):
        assert re.search(rf"\b{command}\b", text), f"README: torchfakes {command}"


def test_readme_links_to_files_that_are_there():
    readme = (ROOT / "README.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", readme):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
    for name in re.findall(r"colab\.research\.google\.com/github/torchfakes/torchfakes/blob/main/([\w/.]+)", readme):
        assert (ROOT / name).exists(), name


def test_readme_is_filled_in():
    assert "PLACEHOLDER" not in (ROOT / "README.md").read_text()


def test_pre_commit_finds_what_the_tests_find():
    pinned = set(re.findall(r"ruff(==[\w.]+)", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")))
    assert pinned == {constraints()["ruff"]}


@pytest.mark.slow
def test_the_picture_of_the_rooms_is_drawn_from_the_code():
    command = [sys.executable, "docs/architecture.py", "--check"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0, "run: make architecture"


def test_style():
    command = [sys.executable, "-m", "ruff", "check", "--no-cache", "--output-format", "concise", "."]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@pytest.mark.slow
def test_types():
    result = subprocess.run([sys.executable, "-m", "mypy"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_makefile_suits_old_make():
    text = (ROOT / "Makefile").read_text()
    assert ".ONESHELL" not in text and "!=" not in text and "$(file" not in text


def test_shell_scripts_parse():
    for script in ("data_download.sh", ".ci/run"):
        subprocess.run(["bash", "-n", ROOT / script], check=True)
        assert (ROOT / script).stat().st_mode & 0o111, f"{script} is not executable"
    text = subprocess.run([ROOT / "data_download.sh", "--help"], capture_output=True, text=True, check=True).stdout
    assert "Exit status" in text
    assert subprocess.run([ROOT / "data_download.sh", "nonsense"], capture_output=True).returncode == 2


def test_notebook_files_are_small():
    for path in (ROOT / "notebooks").glob("*.ipynb"):
        assert path.stat().st_size < 1_500_000, f"{path.name}: smaller or fewer figures"
        json.loads(path.read_text())
