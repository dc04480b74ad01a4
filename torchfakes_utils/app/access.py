"""Who may come in: the names under which the app is reached, and the passwords of those who may use it."""

import ipaddress
import os
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from torchfakes_utils.errors import InputError

AUTH_VARIABLE = "TORCHFAKES_AUTH"

_EVERYWHERE = ("0.0.0.0", "::", "")


def credentials(file: Path | None) -> list[tuple[str, str]] | None:
    """Who may use the app, as (user, password); None where everybody may.

    Args:
        file: with USER:PASSWORD, a line each; where it is None, `TORCHFAKES_AUTH` may hold one or several such lines.

    Raises:
        InputError: a file that cannot be read, or a line of another form. Neither is repeated in the message.
    """
    if file is None:
        text, source = os.environ.get(AUTH_VARIABLE, ""), AUTH_VARIABLE
        if not text.strip():
            return None
    else:
        source = f"--auth {file.name}" if file.is_file() else "--auth"
        text = _read(file)
    pairs = [tuple(line.strip().split(":", 1)) for line in text.splitlines() if line.strip()]
    found = [(pair[0].strip(), pair[1].strip()) for pair in pairs if len(pair) == 2]
    if len(found) < len(pairs) or not found or not all(user and password for user, password in found):
        raise InputError(f"{source}: give USER:PASSWORD, a line each")
    return found


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        if ":" in file.name and not file.exists():  # most likely the password itself
            raise InputError(
                f"--auth: give a file that holds USER:PASSWORD, or set {AUTH_VARIABLE}; the words of a command can be "
                "read by everybody on this machine"
            ) from None
        why = error.strerror if isinstance(error, OSError) else "no text"
        raise InputError(f"--auth {file}: cannot be read ({why}); give a file that holds USER:PASSWORD") from error


def is_loopback(host: str) -> bool:
    """Whether a host is this machine alone, as it sees itself."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@dataclass(frozen=True)
class Hosts:
    """The names by which a page may be asked for, lest another site's name lead here (DNS rebinding).

    Attributes:
        listening: the address that the app listens at.
        further: more names; "*.example.org" is every name that ends in ".example.org".
    """

    listening: str = "127.0.0.1"
    further: tuple[str, ...] = ()

    def allow(self, given: str) -> bool:
        """Whether `given`, the header Host or the part of an Origin after "://", is one of ours; its port is not asked.

        Where the app listens everywhere, any address in numbers is: rebinding needs a name.
        """
        name = _without_port(given)
        if name is None:
            return False
        if _matches(name, self.further) or name == self.listening.strip("[]").lower():
            return True
        if self.listening in _EVERYWHERE:
            return _is_address(name) or name in _own_names()
        return is_loopback(self.listening) and is_loopback(name)

    def named(self, given: str) -> bool:
        """Whether `given` is one of the further names itself; that other names end as it does is not enough."""
        return _without_port(given) in {name.lower() for name in self.further if not name.startswith("*.")}


def _without_port(given: str) -> str | None:
    """A host in lower case, without port, brackets and final dot; None where it is none."""
    text = given.strip().lower()
    if text.startswith("["):
        name, bracket, port = text[1:].partition("]")
        port = port.removeprefix(":") if bracket else "?"
    else:
        name, _, port = text.partition(":")
    name = name.removesuffix(".")
    if not name or (port and not port.isdecimal()) or any(sign in name for sign in "/\\@?#,; "):
        return None
    return name


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(
        name.endswith(pattern[1:].lower()) if pattern.startswith("*.") else name == pattern.lower()
        for pattern in patterns
    )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _own_names() -> set[str]:
    own = socket.gethostname().lower()
    return {"localhost", own, f"{own}.local"}
