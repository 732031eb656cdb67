"""Files that a person names: what is wrong with a name, before anything reads it."""

import os
import stat

NO_SUCH = "there is no such file"


def no_file(path: str | os.PathLike) -> str | None:
    """Why there is no file of this name that could be read; None if there is one.

    Asking `pathlib` raises where a folder on the way is forbidden, or a name too long.
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return NO_SUCH
    except OSError as error:
        return (error.strerror or str(error)).lower()
    except ValueError:
        return "the name has a null character"
    if stat.S_ISDIR(mode):
        return "it is a folder, not a file"
    if not stat.S_ISREG(mode):
        return "it is a device or a pipe, not a file"
    return None if os.access(path, os.R_OK) else "permission denied"


def told(error: Exception) -> str:
    """An error's own words; of one of the system, what it is about and why."""
    if isinstance(error, OSError) and error.filename is not None and error.strerror:
        return f"'{os.fsdecode(error.filename)}': {error.strerror.lower()}"
    return str(error)
