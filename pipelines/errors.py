"""Errors: what the person who must act is told, and the exit status that goes with it."""


class ConfigurationError(ValueError):
    """The configuration or the command is wrong: exit status 2, nothing changed."""


class DataError(RuntimeError):
    """What landed, or what a run needs, is wrong: exit status 1, the last good result stays."""


class DamagedWarehouse(DataError):
    """The private build file is damaged; a run builds it again from what landed."""


class UnreadableFile(Exception):
    """A landed file is not what it claims to be: nothing of it is loaded."""
