"""The variables that a training step may change."""


def variables(compiled) -> list:
    """All that a training step may change, but for metrics.

    Args:
        compiled: A `Compiled`.

    Returns:
        Variables, each once, in an order that is the same in each process.
    """
    model = compiled.training_model
    listed = [
        *(
            variable
            for operation in model.operations
            for variable in getattr(operation, "variables", ())
        ),
        *compiled.variables,
        *model.optimizer.variables,
        *(model.pruner.variables if model.pruner is not None else ()),
        *(model.average.variables if model.average is not None else ()),
    ]
    return list({id(variable): variable for variable in listed}.values())
