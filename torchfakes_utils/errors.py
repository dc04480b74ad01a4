"""The one exception that the user is meant to read."""


class InputError(Exception):
    """Something the user gave cannot be used.

    `str(error)` is one line that says what is wrong and what to do about it; the command line prints it without a
    traceback and ends with exit status 2.
    """
