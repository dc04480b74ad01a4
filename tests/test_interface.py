"""The public interface: `import torchfakes_utils`."""

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

import torchfakes_utils
from torchfakes_utils import __all__ as names

PACKAGE = Path(torchfakes_utils.__file__).parent
README = (PACKAGE.parent / "README.md").read_text(encoding="utf-8")


def imported(source: str) -> dict[str, str]:
    """What a piece of code imports by name, and from where."""
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    return {name.name: str(node.module) for node in nodes for name in node.names}


# As type checkers see them.
HOMES = {name: home for name, home in imported((PACKAGE / "__init__.py").read_text()).items() if "." in home}


def test_type_checkers_see_what_there_is():
    assert sorted(HOMES) == names


@pytest.mark.parametrize("name", names)
def test_each_name_is_the_object_of_its_module_and_documented(name):
    found = getattr(torchfakes_utils, name)
    assert found is getattr(importlib.import_module(HOMES[name]), name)
    assert (found.__module__, found.__name__) == (HOMES[name], name), "this is where it is defined, under this name"
    assert found.__doc__ and f"`{name}`" in torchfakes_utils.__doc__


def test_nothing_is_hidden_by_a_room_of_its_name():
    # Python sets a package's attribute to each submodule that is imported, whatever stood there.
    assert not {path.stem for path in PACKAGE.iterdir()} & set(names)


def test_a_name_that_is_not_there_is_an_attribute_error():
    assert not hasattr(torchfakes_utils, "decode")
    assert set(names) <= set(dir(torchfakes_utils))


def test_the_import_loads_nothing_and_a_configuration_no_torch():
    program = """
import sys, time
before = time.process_time()
import torchfakes_utils
seconds, rooms = time.process_time() - before, [name for name in sys.modules if name.startswith("torchfakes_utils.")]
torchfakes_utils.ExtractionConfig(frames=4), torchfakes_utils.InputError
print(rooms, "torch" in sys.modules, seconds < 0.1)
"""
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[] False True"


def test_the_readme_uses_it():
    (section,) = re.findall(r"## In Python\n(.*?)\n## ", README, re.DOTALL)
    code = "\n".join(line[4:] for line in section.splitlines() if line.startswith("    "))
    assert set(imported(code).values()) == {"torchfakes_utils"}
    assert set(imported(code)) <= set(names)
