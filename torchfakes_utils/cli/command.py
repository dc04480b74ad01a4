"""What a command is: a dataclass that runs, whose fields are its arguments, and those of a configuration in it.

Name, type and default are a field's own, and in a configuration the text under Attributes is the help.

By hand, for no library keeps these command lines: jsonargparse writes --batch_size and `--compile true`, tyro and
cyclopts want marks of their own inside the configurations for --lr or --max-seconds, Typer knows no dataclasses.
"""

import abc
import argparse
import inspect
import math
import re
import types
import typing
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from torchfakes_utils.cli.output import Output

T = TypeVar("T")
_NOTHING: Mapping[str, Any] = types.MappingProxyType({})


def positive(text: str) -> int:
    """A whole number above 0."""
    number = int(text) if text.lstrip("+-").isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"needs a whole number above 0, not {text!r}")
    return number


# A field of this type is read by `positive`; any function can stand there.
Count = Annotated[int, positive]


def argument(metavar: str, text: str, nargs: str | None = None) -> Any:
    """A field that is given by its place; with `nargs` "+" or "*" it takes all words that are left."""
    more = {"nargs": nargs} if nargs else {}
    return field(metadata={"text": text, "settings": {"metavar": metavar} | more, "placed": True})


def option(text: str, default: Any = MISSING, **settings: Any) -> Any:
    """A field that is an option, which has to be given where it has no default; `settings` are argparse's."""
    return field(default=default, metadata={"text": text, "settings": settings})


def options_of(
    without: Collection[str] = (),
    flags: Mapping[str, tuple[str, ...]] = _NOTHING,
    build: Callable[..., Any] | None = None,
    **defaults: Any,
) -> Any:
    """A field that is a configuration, whose own fields are options of the command.

    Args:
        without: fields that are none.
        flags: what options are called where it is not the field's name.
        build: makes the configuration instead of its class, where it has to know which options were given: it gets
            these, and `defaults`, by name.
        defaults: where the command has its own.
    """
    return field(metadata={"without": without, "flags": flags, "build": build, "defaults": defaults})


def add_options(parser: argparse.ArgumentParser, kind: type, given: Mapping[str, Any] = _NOTHING) -> None:
    """Give a parser the options of a dataclass; `given` is what `options_of` says of it."""
    texts, hints = _texts(kind), typing.get_type_hints(kind, include_extras=True)
    for one in fields(kind):
        hint = hints[one.name]
        if one.name in given.get("without", ()):
            continue
        if is_dataclass(hint):
            add_options(parser, typing.cast("type", hint), one.metadata)
            continue
        default = given.get("defaults", {}).get(one.name, one.default)
        text = one.metadata.get("text") or texts.get(one.name, "")
        settings = _settings(hint, default, text) | one.metadata.get("settings", {})
        if given.get("build"):
            settings |= {"default": argparse.SUPPRESS, **_none_allowed(hint, settings)}
        if one.metadata.get("placed"):
            del settings["required"]  # which argparse knows by its place
            if "nargs" in settings:  # a word each, not names with commas between them
                settings["type"] = typing.get_args(hint)[0]
            parser.add_argument(_place(kind, one.name), **settings)
            continue
        usual = f"--{'no-' if settings.get('action') == 'store_false' else ''}{one.name.replace('_', '-')}"
        flags = given.get("flags", {}).get(one.name, (usual,))
        parser.add_argument(*flags, dest=_place(kind, one.name), **settings)


def made(kind: type[T], args: argparse.Namespace, given: Mapping[str, Any] = _NOTHING) -> T:
    """A dataclass from the options that `add_options` gave the parser; `given` is what `options_of` says of it."""
    values, hints = {}, typing.get_type_hints(kind)
    for one in fields(typing.cast("Any", kind)):
        if one.name in given.get("without", ()):
            continue
        if is_dataclass(hints[one.name]):
            values[one.name] = made(hints[one.name], args, one.metadata)
        elif hasattr(args, _place(kind, one.name)):
            value = getattr(args, _place(kind, one.name))
            values[one.name] = tuple(value) if isinstance(value, list) else value
    build = given.get("build")
    if build is None:
        return kind(**values)
    return typing.cast("T", build(**given.get("defaults", {}) | values))


def _none_allowed(hint: Any, settings: Mapping[str, Any]) -> Mapping[str, Any]:
    """Of a number that may be absent: that it can be called so, where `build` may have set another."""
    absent = types.NoneType in typing.get_args(hint)
    return {"type": _or_none(settings["type"])} if absent and settings.get("type") in (int, _finite) else {}


def _place(kind: type, name: str) -> str:
    """Where a namespace holds a field: two configurations of a command may have fields of one name."""
    return f"{kind.__name__}.{name}"


def _settings(hint: Any, default: Any, text: str) -> dict[str, Any]:
    """What `add_argument` is told of a field."""
    words = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
    hint = words[0]
    if types.NoneType in words:
        start, middle = ("The default", "the default") if default is None else ("none", "none")
        text = re.sub(r"\bNone\b", middle, re.sub(r"(?<=\. )None\b", start, text))
    text = text.rstrip(".").replace("%", "%%")
    if hint is bool:
        off = {"action": "store_false", "help": f"do not {text}"}
        return off if default else {"action": "store_true", "help": text}
    several = typing.get_origin(hint) is tuple
    read: Any = hint
    if several or typing.get_origin(hint) is Annotated:
        read = typing.get_args(hint)[0 if several else 1]
    name = {Path: "PATH", str: "NAME"}.get(read, "N")
    read = _finite if read is float else read
    if several and read is Path:  # a path may hold a comma
        help_text = f"{text}; may be given several times"
        return {"type": Path, "metavar": name, "action": "append", "default": argparse.SUPPRESS, "help": help_text}
    if several:
        read, name = _names, f"{name},…"
    elif types.NoneType in words and default is not None:
        read = _or_none(read)
    if default is not MISSING and default is not None:
        text += f" (default: {','.join(default) if several else default})"
    required = {"required": True} if default is MISSING else {"default": default}
    return {"type": read, "metavar": name, "help": text} | required


def _finite(word: str) -> float:
    """A number: neither NaN, which is neither above nor below any limit, nor infinity."""
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise argparse.ArgumentTypeError(f"needs a number, not {word!r}")
    return number


def _or_none(read: Callable[[str], Any]) -> Callable[[str], Any]:
    return lambda word: None if word == "none" else read(word)


def _names(word: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in word.split(","))
    if not all(names):
        raise argparse.ArgumentTypeError(f"give names with commas between them, not {word!r}")
    return names


def _texts(kind: type) -> dict[str, str]:
    """What stands under Attributes, by field, of several fields together; also of the classes that it is made from."""
    listed = [inspect.cleandoc(base.__doc__ or "").partition("Attributes:\n")[2] for base in kind.__mro__]
    found = re.findall(r"^ {4}(\w+(?:, \w+)*): (.*(?:\n {5,}.*)*)", "\n".join(listed), re.M)
    return {name: " ".join(text.split()) for names, text in found for name in names.split(", ")}


@dataclass(frozen=True)
class Command(abc.ABC):
    """A command; the first line of its docstring is what the help says of it."""

    @abc.abstractmethod
    def run(self, output: Output) -> int | None:
        """Do it, and give the exit status; None is `DONE`."""

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").splitlines()[0]


def _run(text: str) -> Path | str:
    """A path, or an address, which stays a text: a path would lose one of its slashes."""
    return text if text.startswith("hf://") else Path(text)


@dataclass(frozen=True)
class RunCommand(Command):
    """A command that needs a trained detector."""

    run_folder: Annotated[Path | str, _run] = argument(
        "RUN", "the folder that `train` wrote, or hf://owner/name[@revision] on the Hugging Face Hub"
    )

    def fetched(self, writes: bool = False) -> Path:
        """RUN on this machine; of an address a copy where the command `writes` beside the detector."""
        if isinstance(self.run_folder, Path):
            return self.run_folder
        from torchfakes_utils.hub import pull

        return pull.resolve(self.run_folder, pull.WORK if writes else None)
