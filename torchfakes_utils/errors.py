"""The exceptions that the user is meant to read, and the commonest reason for one."""


class InputError(Exception):
    """Something the user gave cannot be used.

    `str(error)` is one line that says what is wrong and what to do about it; the command line prints it without a
    traceback and ends with exit status 2.
    """


class DamagedError(InputError):
    """A file was read, and what is in it is broken: another copy may be sound."""


def check_counts(config: object, *names: str, most: int | None = None) -> None:
    """See that fields of a configuration are above 0 and no more than `most`, or None.

    Raises:
        InputError: one that is not.
    """
    for name in names:
        value = getattr(config, name)
        if value is None:
            continue
        if value < 1:
            raise InputError(f"{name.replace('_', ' ')} {value}: give a whole number above 0")
        if most is not None and value > most:
            raise InputError(f"{name.replace('_', ' ')} {value}: at most {most:,} are possible")
