"""Errors that users see: what came, what was expected, how to mend it."""


class StsegError(Exception):
    """Base of every error this package raises for its users."""


class ConfigError(StsegError):
    """A setting, a parameter or a command-line argument is wrong."""


class BundleError(StsegError):
    """A model bundle is missing, incomplete, altered or inconsistent."""


class EngineError(StsegError):
    """An inference backend cannot be opened, or failed while running."""


class FrameError(StsegError):
    """One camera frame cannot be used; the next one may be fine."""


class DataError(StsegError):
    """A data set, an image folder or a bag is missing or unreadable."""
