"""The errors of data that a program may want to catch by their class."""


class DownloadError(OSError):
    """Raised where a data set is not prepared here and cannot be downloaded.

    Example:
        >>> import tl_keras
        >>> issubclass(tl_keras.data.DownloadError, OSError)
        True
    """
