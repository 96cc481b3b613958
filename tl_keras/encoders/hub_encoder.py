"""A TF Hub module, or any TF2 SavedModel, as a layer of Keras 3."""

import json
import pathlib

import keras
import tensorflow as tf

from tl_keras import checks
from tl_keras import keras_internals
from tl_keras.encoders import handles
from tl_keras.encoders import module_parts
from tl_keras.encoders import modules
from tl_keras.encoders import saved_models

# In the assets of a `.keras` file: the SavedModel, and which one it is.
ASSET_FOLDER = "saved_model"
ASSET_NAME = "hub_encoder.json"


@keras.saving.register_keras_serializable("tl_keras")
class HubEncoder(keras.layers.Layer):
    """A TF Hub module, or any TF2 SavedModel, as a layer of Keras 3.

    What `hub.KerasLayer` is to Keras 2: the module's variables are the layer's
    weights, without a copy, so that `model.summary()`, optimizers, freezing
    and checkpoints see them; `training` is passed on where the module takes
    it, and means inference when the layer is frozen. A `.keras` file carries
    the module along; read it by `tl_keras.load_model`.

    The module computes in float32 whatever the dtype policy is. Under a
    strategy the layer has to be made in its scope.

    Args:
        handle: Where the module is, as `tl_keras.encoders.load` takes it after
            `hub:`: a folder, a .tar.gz, an https address.
        trainable: Whether its variables train; None if they can. A module of
            the format of TensorFlow 1, or one that is called by a signature,
            cannot.
        signature: Name of the signature to call. None: the module's
            `__call__`, and where there is none its only or usual signature.
        output_key: Which output to give: a name where the module returns a
            dict, a position where it returns a list. None: all that it
            returns; of a dict with one entry, the entry.
        arguments: Further arguments of the module's call by name, e.g.
            `{"batch_norm_momentum": 0.9}`. Plain values, kept in the config.
        tags: Which graph to load of a SavedModel with several.
        per_example: Whether the module takes one example without a batch
            dimension, as YAMNet does; then it is called for each.
        **kwargs: Of `keras.layers.Layer`.

    Attributes:
        module: Fingerprint of the SavedModel's content.
        frozen_because: Why it cannot train, or None if it can.

    Raises:
        FileNotFoundError: If there is no SavedModel.
        ValueError: If it cannot be loaded, has no such signature, or cannot
            train and `trainable` is True.

    Example:
        >>> import os, tempfile
        >>> import keras
        >>> import tensorflow as tf
        >>> from tl_keras.encoders import HubEncoder
        >>> class Double(tf.Module):
        ...     @tf.function(input_signature=[tf.TensorSpec([None, 2])])
        ...     def __call__(self, values):
        ...         return 2 * values
        >>> folder = os.path.join(tempfile.mkdtemp(), "double")
        >>> tf.saved_model.save(Double(), folder)
        >>> values = keras.Input((2,))
        >>> model = keras.Model(values, HubEncoder(folder)(values))
        >>> float(model(tf.constant([[1.0, 3.0]]))[0, 1])
        6.0

    Reference:
        https://www.tensorflow.org/hub/reusable_saved_models
    """

    # Whatever the dtype policy of the layers around it.
    keeps_float32 = True

    def __init__(
        self,
        handle,
        trainable: bool | None = None,
        *,
        signature: str | None = None,
        output_key: str | int | None = None,
        arguments: dict | None = None,
        tags: list[str] | None = None,
        per_example: bool = False,
        **kwargs,
    ):
        _check_arguments(arguments)
        folder = handles.resolve(handle)
        saved_models.check(folder)
        loaded = modules.load(folder, signature=signature, tags=tags)
        if trainable is None:
            trainable = loaded.frozen_because is None
        # A global policy of bfloat16 would otherwise round what goes in.
        kwargs = {**kwargs, "dtype": "float32", "autocast": False}
        super().__init__(trainable=bool(trainable), **kwargs)
        self.handle = str(handle)
        self.module = saved_models.register(folder)
        self.signature = signature
        self.output_key = output_key
        self.arguments = dict(arguments or {})
        self.tags = tags
        self.per_example = per_example
        self._made_under = _Untracked(tf.distribute.get_strategy())
        self._module = _Untracked(loaded)
        self._parts = _Untracked(None)
        # Of the trackable attributes, this is the one with tables and assets.
        self.saved_model = loaded.loaded
        self.module_weights = [
            _adopted(variable, trainable=index < loaded.num_trainable)
            for index, variable in enumerate(loaded.variables)
        ]
        self._check_trainable(trainable)
        # A model asks each weight whether it trains, not the layer.
        keras.layers.Layer.trainable.fset(self, trainable)
        self.built = True

    @property
    def frozen_because(self) -> str | None:
        return self._module.value.frozen_because

    @property
    def trainable(self) -> bool:
        """Whether the module's variables train; False where they cannot."""
        return super().trainable

    @trainable.setter
    def trainable(self, value):
        self._check_trainable(value)
        keras.layers.Layer.trainable.fset(self, value)

    def _check_trainable(self, trainable):
        if trainable and self.frozen_because:
            raise ValueError(
                f"The module {self.handle!r} cannot train: "
                f"{self.frozen_because}. Got: trainable=True. Leave it frozen "
                "(plan `linear_probe`), or take a reusable TF2 SavedModel."
            )

    @property
    def parts(self) -> dict[str, list]:
        """Part name to its weights, in the order of their first use.

        They are found by the variables' names; a module without structure is
        one part, "encoder", and one without weights has none.
        """
        if self._parts.value is None:
            self._parts.value = self._found_parts()
        return dict(self._parts.value)

    def _found_parts(self) -> dict[str, list]:
        if not self.module_weights:
            return {}
        names = [_name(v) for v in self._module.value.variables]
        folder = saved_models.folder_of(self.module)
        weight_of = dict(zip(names, self.module_weights, strict=True))
        if self.frozen_because or len(weight_of) < len(names):
            return {module_parts.ONE_PART: list(self.module_weights)}
        return {
            part: [weight_of[name] for name in members]
            for part, members in module_parts.find(folder, names).items()
        }

    @property
    def resources(self) -> list:
        """What an export has to hold beside the weights.

        That is the module's tables and files, and its variables of truth
        values or strings, which are no weights.
        """
        kinds = (
            tf.saved_model.experimental.TrackableResource,
            tf.saved_model.Asset,
            tf.Variable,
        )
        weights = {id(variable) for variable in self._module.value.variables}
        found = [
            one
            for one in tf.train.TrackableView(self.saved_model).descendants()
            if isinstance(one, kinds) and id(one) not in weights
        ]
        # A module of TensorFlow 1 fills its tables by an object of its own.
        initializer = getattr(self.saved_model, "initializer", None)
        return found if initializer is None else [*found, initializer]

    @property
    def moving_statistics(self) -> list[tuple]:
        """Pairs of weights: moving mean and variance of a normalisation.

        They are found by their usual names. Those of a batch renormalisation
        are left out, since it reads what it moves while it trains.
        """
        weights = {weight.name: weight for weight in self.module_weights}
        return [
            (weight, weights[f"{scope}moving_variance"])
            for name, weight in weights.items()
            for scope in [name.removesuffix("moving_mean")]
            if name.endswith("moving_mean")
            and f"{scope}moving_variance" in weights
            and f"{scope}renorm_mean" not in weights
        ]

    @property
    def input_forms(self) -> list:
        """What the module takes: structures of `tf.TensorSpec`."""
        return self._module.value.input_forms

    @property
    def output_form(self):
        """What the module returns, likewise; before `output_key`."""
        return self._module.value.output_form

    @property
    def trains_in_batch_mode(self) -> bool:
        """Whether `training=True` makes the module do something else."""
        return True in self._module.value.training_modes

    def call(self, inputs, training=None):
        self._check_strategy()
        loaded = self._module.value
        arguments = dict(self.arguments)
        if loaded.training_modes:
            mode = bool(training) and self.trainable
            arguments["training"] = mode and self.trains_in_batch_mode
        if self.trainable:
            for penalty in loaded.penalties:
                self.add_loss(penalty())
        if not self.per_example:
            return self._one_call(inputs, arguments)
        return tf.map_fn(
            lambda example: self._one_call(example, arguments),
            inputs,
            fn_output_signature=self._chosen(loaded.output_form),
        )

    def _one_call(self, inputs, arguments):
        form = self._form_of(inputs)
        inputs = keras.tree.map_structure(
            lambda tensor, spec: tf.cast(tensor, spec.dtype), inputs, form
        )
        return self._chosen(self._module.value.function(inputs, **arguments))

    def _form_of(self, inputs):
        for form in self.input_forms:
            if modules.fits(inputs, form):
                return form
        raise ValueError(
            f"The module {self.handle!r} takes other inputs. Got: "
            f"{modules.describe(inputs)}. Expected: "
            f"{' or '.join(map(modules.describe, self.input_forms))}."
        )

    def _chosen(self, result):
        """Of all that the module returns, what the layer gives."""
        if self.output_key is None:
            is_pair = isinstance(result, dict) and len(result) == 1
            return next(iter(result.values())) if is_pair else result
        if isinstance(result, dict):
            outputs = dict(result)
        elif isinstance(result, (list, tuple)):
            outputs = dict(enumerate(result))
        else:
            raise ValueError(
                f"The module {self.handle!r} has one output. Got: `output_key="
                f"{self.output_key!r}`. Leave it out."
            )
        checks.one_of(self.output_key, list(outputs), name="output_key")
        return outputs[self.output_key]

    def _check_strategy(self):
        current = tf.distribute.get_strategy()
        if (
            current.num_replicas_in_sync > 1
            and current is not self._made_under.value
        ):
            raise ValueError(
                f"The module {self.handle!r} was loaded outside of the "
                f"strategy that it runs under ({type(current).__name__}, "
                f"{current.num_replicas_in_sync} replicas), so that its "
                "variables have no copy on each. Put load, build and fit into "
                "one `with tl_keras.strategy(...):` block."
            )

    def get_config(self):
        return {
            **super().get_config(),
            "handle": self.handle,
            "module": self.module,
            "signature": self.signature,
            "output_key": self.output_key,
            "arguments": self.arguments,
            "tags": self.tags,
            "per_example": self.per_example,
        }

    @classmethod
    def from_config(cls, config):
        # The module that this process vouched for, and not whatever lies at
        # the handle by now.
        config = dict(config)
        handle, module = config.pop("handle"), config.pop("module")
        folder = saved_models.folder_of(module)
        for passed_on in ("dtype", "autocast"):
            config.pop(passed_on, None)
        layer = cls(folder, **config)
        if layer.module != module:
            raise ValueError(
                f"The SavedModel in {str(folder)!r} has changed since it was "
                "loaded, so that a copy of its layer would be another one. "
                "Load the encoder again."
            )
        layer.handle = handle
        return layer

    def save_assets(self, dir_path):
        """Puts the SavedModel into a `.keras` file (called by Keras)."""
        target = pathlib.Path(dir_path)
        source = saved_models.folder_of(self.module)
        saved_models.copy(source, target / ASSET_FOLDER)
        if saved_models.fingerprint(target / ASSET_FOLDER) != self.module:
            raise ValueError(
                f"The SavedModel in {str(source)!r} has changed since it was "
                "loaded, so that a file with it could not be read again. Put "
                "back what was there, then save once more."
            )
        text = json.dumps({"module": self.module, "handle": self.handle})
        (target / ASSET_NAME).write_text(text, encoding="utf-8")

    def load_assets(self, dir_path):
        """Does nothing: `tl_keras.load_model` has loaded the module before."""


class _Untracked:
    """A value that Keras neither tracks nor saves."""

    def __init__(self, value):
        self.value = value


def _adopted(variable, *, trainable: bool):
    """A module's variable as one of Keras, the same memory for both."""
    adopted = keras.Variable(
        variable,
        dtype=variable.dtype.name,
        trainable=trainable,
        autocast=False,
        name=_name(variable).replace("/", "."),
    )
    if keras_internals.tensorflow_variable(adopted) is not variable:
        raise TypeError(
            f"Keras copied the variable {variable.name!r} of dtype "
            f"{variable.dtype.name} rather than taking it over, so that the "
            "module would not see it train. Please report this."
        )
    return adopted


def _name(variable) -> str:
    return variable.name.split(":")[0]


def _check_arguments(arguments):
    if arguments is None:
        return
    checks.instance(arguments, dict, name="arguments")
    try:
        json.dumps(arguments)
    except TypeError as error:
        raise TypeError(
            "`arguments` must be plain values, since the config keeps them as "
            f"JSON. Got: {arguments}. {error}."
        ) from error
    if "training" in arguments:
        raise ValueError(
            "`arguments` holds `training`, which the layer passes by itself: "
            "it follows from how the model is called and from `trainable`."
        )
