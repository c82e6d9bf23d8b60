"""Every error irflow raises on purpose. Each class knows the exit code of the command line.

IrflowError           1   anything below, and nothing else, is printed as one line
├── ImageError        1   one picture cannot be read or written; the batch goes on
├── UsageError        2   the request makes no sense, found before any work
├── NothingToDo       3   no picture to work on
├── CheckpointError   4   missing, damaged, or made for something else
├── DeviceError       5   a named device is missing, or its memory is spent
└── DiskFull          5   no room for the results; the run stops
"""

from __future__ import annotations

import errno
import re

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # what systems say of a disk without room
CLOSED = (errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOENT, errno.ENOTDIR)  # and of a folder that takes no file


NAMED = re.compile("`([a-z][a-z0-9_]*)`")  # a setting in a message, by the name of its field


class IrflowError(Exception):
    """One clear line that says what is wrong and what to do next.

    Settings stand in it by the names of their fields, as in "`steps` must be at least 1, got 0", so that it is true in Python
    and on the command line, which puts its options' names in their place. field: the setting it is about, None where it is
    about none.
    """

    exit_code = 1

    @property
    def field(self) -> str | None:
        """The first setting that the message names."""
        return next(iter(self.fields), None)

    @property
    def fields(self) -> list[str]:
        """All settings that the message names."""
        return NAMED.findall(str(self))

    @property
    def reason(self) -> str:
        """The message without the setting that it begins with."""
        return str(self).removeprefix(f"`{self.field}` ")


class ImageError(IrflowError):
    """A picture that cannot be read or written."""


class FolderClosed(ImageError):
    """A result that the folder it belongs to does not take."""


class UsageError(IrflowError):
    """A request that cannot be carried out as given."""

    exit_code = 2


class NothingToDo(IrflowError):
    """The inputs hold no picture."""

    exit_code = 3


class CheckpointError(IrflowError):
    """A checkpoint that is missing, damaged, or of another task."""

    exit_code = 4


class DeviceError(IrflowError):
    """A device that is not there, or has no memory left."""

    exit_code = 5


class DiskFull(IrflowError):
    """A disk without room for the next result."""

    exit_code = 5


def require(holds: object, message: str) -> None:
    """Raise UsageError with the message unless something holds."""
    if not holds:
        raise UsageError(message)
