"""Names to factories, with a proposal for a name that is almost right."""

from tl_keras import checks


class Registry:
    """An ordered map from names to factories.

    Names are found whatever their case, and shown as they were registered.

    Args:
        kind: What is registered, for error messages, e.g. `"encoder"`.

    Example:
        >>> heads = Registry("head")
        >>> heads.add("Linear", lambda units: ("linear", units))
        >>> heads.find("linear")(3)
        ('linear', 3)
        >>> heads.names()
        ['Linear']
    """

    def __init__(self, kind: str):
        self.kind = kind
        self._factories = {}

    def add(self, name: str, factory):
        """Registers `factory` under `name`; a taken name is an error."""
        if name.lower() in self._factories:
            raise ValueError(
                f"There is a {self.kind} named {name!r} already. Choose "
                "another name."
            )
        self._factories[name.lower()] = (name, factory)

    def find(self, name: str):
        """The factory registered as `name`, in upper or lower case.

        Raises:
            ValueError: If there is none. The message lists the names and
                proposes the closest one.
        """
        checks.instance(name, str, name=self.kind)
        if name.lower() not in self._factories:
            checks.one_of(name, self.names(), name=self.kind)
        return self._factories[name.lower()][1]

    def names(self) -> list[str]:
        """The registered names, in the order of their registration."""
        return [name for name, _ in self._factories.values()]
