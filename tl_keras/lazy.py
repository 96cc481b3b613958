"""Public names that are imported when they are first used.

TensorFlow takes seconds to import; a command that only prints its help must
not pay for that. A package lists its public names and the modules that define
them, and Python asks for a module when somebody reads the name.
"""

import importlib


def names(package: str, where: dict[str, str]):
    """What a package needs to load its public names lazily (PEP 562).

    Args:
        package: The package's `__name__`.
        where: Public name to the module that defines it. A module that ends
            in the name itself is what the name stands for.

    Returns:
        The package's `__all__`, `__getattr__` and `__dir__`.

    Example:
        >>> public, load, listed = names("shapes", {"pi": "math"})
        >>> public, load("pi") > 3.14
        (['pi'], True)
    """
    public = sorted(where)

    def load(name: str):
        if name not in where:
            raise AttributeError(
                f"Module {package!r} has no attribute {name!r}. "
                f"It has: {', '.join(public)}."
            )
        module = importlib.import_module(where[name])
        return getattr(module, name, module)

    return public, load, lambda: public
