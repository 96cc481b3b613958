"""The model that a phase trains, sharing its weights with the user's."""

import contextlib

import keras
import tensorflow as tf

from tl_keras import graph
from tl_keras import keras_internals
from tl_keras.data import parts
from tl_keras.training import fused_batch_norm
from tl_keras.training import micro_batches
from tl_keras.training import train_function
from tl_keras.tuning import anchoring


class TrainingModel(keras_internals.BuiltFromOnePart, keras.Model):
    """The user's model with some layer groups frozen in every respect.

    A frozen layer is called in inference mode, so that its BatchNormalization
    statistics and its Dropout rest too, and its weights are not among
    `trainable_weights`. Nothing of the user's model is changed for that:
    neither `trainable` nor what it was compiled with.

    A layer that holds a whole network is one call with one mode. Where only
    some of its parts train, it is called in inference mode, and these parts'
    weights move all the same.

    Args:
        network: The user's Functional `keras.Model`, which callbacks save.
        trained: The operations of `network` that run in training mode; all
            others run in inference mode.
        trained_weights: The weights that train: of these operations, and of
            others of which parts train. None: all trainable ones of these.
        rest: What of the network's graph runs in a step, where its beginning
            runs elsewhere; None for all.
        anchored: Variables that are pulled to `starting_point`.
        starting_point: The values of `anchored` from which they are not to
            stray (L2-SP).
        strength: Of that pull.
        micro_batch_count: In how many parts a step computes its batch.
        fills_validation: Whether validation batches are filled up with
            examples of weight 0. It is compiled with `weighted_metrics` then,
            which shall not count them; elsewhere they know of no weights.
        pruner: A `Pruner` that ends each step; None for none.
        average: A `WeightsAverage` that is brought up to date behind it; None
            for none.
    """

    def __init__(
        self,
        network,
        trained,
        trained_weights=None,
        *,
        rest=None,
        anchored=(),
        starting_point=(),
        strength=0.0,
        micro_batch_count=1,
        fills_validation=False,
        pruner=None,
        average=None,
    ):
        # Of its own it computes nothing; a global policy of bfloat16 would
        # round the pixels on their way in.
        super().__init__(name=network.name, dtype="float32", autocast=False)
        self.network = network
        self._graph = _Hidden(rest or graph.flat(network))
        self._runs_whole = rest is None
        self._with_penalties = True
        # Weights and operations are compared by identity: variables of one
        # model may have equal values.
        self._trained_ids = frozenset(id(operation) for operation in trained)
        self._fused_ids = frozenset(
            id(operation)
            for operation in trained
            if fused_batch_norm.can_fuse(operation)
        )
        if trained_weights is None:
            trained_weights = [
                weight
                for operation in trained
                for weight in getattr(operation, "trainable_weights", ())
            ]
        self._trained_weights = _distinct(trained_weights)
        self._anchored = _Hidden(list(anchored))
        self._starting_point = _Hidden(list(starting_point))
        self._strength = strength
        self._micro_batch_count = micro_batch_count
        self._fills_validation = fills_validation
        self._pruner = _Hidden(pruner)
        self._average = _Hidden(average)
        self.built = True

    @property
    def trainable_weights(self):
        return list(self._trained_weights.value)

    @property
    def trainable_variables(self):
        return self.trainable_weights

    @property
    def non_trainable_weights(self):
        trained = {id(weight) for weight in self._trained_weights.value}
        return [w for w in self.weights if id(w) not in trained]

    @property
    def non_trainable_variables(self):
        trained = {id(weight) for weight in self._trained_weights.value}
        return [v for v in self.variables if id(v) not in trained]

    def trains(self, operation) -> bool:
        """Whether an operation of the network runs in training mode."""
        return id(operation) in self._trained_ids

    def call(self, inputs, training=None):
        return self.walk(
            inputs,
            lambda operation: training if self.trains(operation) else False,
            fused=True,
        )

    def walk(self, inputs, mode_of, *, fused: bool = False):
        """Runs the network with a mode for each of its operations.

        Args:
            inputs: What the part of the network takes that runs here.
            mode_of: From an operation to its `training` argument, or to None
                for the argument it was built with.
            fused: Whether BatchNormalization in training mode may leave its
                moving statistics alone, for speed.

        Returns:
            The network's outputs.
        """

        def call_operation(operation, *args, **kwargs):
            mode = mode_of(operation)
            if mode and fused and id(operation) in self._fused_ids:
                return fused_batch_norm.normalize(operation, *args)
            return call_in_mode(operation, mode, *args, **kwargs)

        outputs = self._graph.value.run(
            self._as_declared(inputs), call_operation
        )
        return graph.pack_outputs(self.network, outputs)

    @property
    def pruner(self):
        """The `Pruner` that ends each step, or None."""
        return self._pruner.value

    @property
    def average(self):
        """The `WeightsAverage` of the phase, or None."""
        return self._average.value

    def train_step(self, data):
        batch, share = _unpacked(data)
        if self._micro_batch_count == 1:
            gradients = self.gradients(batch, share)
        else:
            gradients = micro_batches.gradients(
                self, batch, share, self._micro_batch_count
            )
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_weights, strict=True)
        )
        if self.pruner is not None:
            self.pruner.after_step()
        if self.average is not None:
            self.average.after_step()
        return self.get_metrics_result()

    def gradients(self, batch, share=None, scope=contextlib.nullcontext):
        """Gradients of the loss of a batch, which is added to the metrics.

        Args:
            batch: `(inputs, labels)` or `(inputs, labels, weights)`.
            share: The share of a `Part`; None for a whole batch.
            scope: Called for a context of what the gradients are of.

        Returns:
            A gradient, or None, for each of `trainable_weights`, times the
            optimizer's loss scale.
        """
        inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
        with tf.GradientTape() as tape, scope():
            predictions = self(inputs, training=True)
            loss = self.compute_loss(
                inputs, labels, predictions, weights, training=True
            )
            scaled = loss
            if share is not None:
                # Gradients of replicas are added up, whatever their parts.
                scaled *= tf.cast(share, loss.dtype)
            scaled = self.optimizer.scale_loss(scaled)
        self._track_loss(loss, inputs, share)
        if self._fills_validation:
            weights = None
        self._measured(inputs, labels, predictions, weights, share)
        return tape.gradient(scaled, self.trainable_weights)

    def test_step(self, data):
        batch, share = _unpacked(data)
        inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(batch)
        predictions = self(inputs, training=False)
        loss = self.compute_loss(
            inputs, labels, predictions, weights, training=False
        )
        self._track_loss(loss, inputs, share)
        if self._fills_validation:
            weights = tf.cast(weights > 0.0, tf.float32)
        return self._measured(inputs, labels, predictions, weights, share)

    def _track_loss(self, loss, inputs, share):
        """Adds the loss of a batch, or of a part, to the mean of the epoch."""
        # `compute_loss` gives what replicas add up to the mean of even parts.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        count = tf.shape(keras.tree.flatten(inputs)[0])[0]
        if share is not None:
            count = tf.where(share > 0.0, count, 0)
        tracker = keras_internals.loss_tracker(self)
        tracker.update_state(loss * replicas, sample_weight=count)

    def _measured(self, inputs, labels, predictions, weights, share):
        """Adds to the metrics what is no stand-in; gives their results."""
        if share is None:
            return self.compute_metrics(inputs, labels, predictions, weights)

        def update():
            self.compute_metrics(inputs, labels, predictions, weights)
            return 0

        tf.cond(share > 0.0, update, lambda: 0)
        return self.get_metrics_result()

    @property
    def step_inputs(self) -> list:
        """What a step takes, as symbolic tensors."""
        return [value.tensor for value in self._graph.value.inputs]

    @property
    def operations(self) -> list:
        """The operations that run in a step, each as often as it is called."""
        return [call.operation for call in self._graph.value.calls]

    @property
    def losses(self):
        """The penalties of what trains: a frozen layer's would be constant."""
        if not self._with_penalties:
            return []
        trained = {id(weight) for weight in self._trained_weights.value}
        listed = [
            loss
            for operation in self.operations
            if self.trains(operation)
            or any(id(w) in trained for w in getattr(operation, "weights", ()))
            for loss in getattr(operation, "losses", ())
        ]
        # An operation that the graph calls twice is listed twice.
        return list({id(loss): loss for loss in listed}.values())

    def compute_loss(self, *args, training=True, **kwargs):
        # Without penalties the validation loss compares between phases, in
        # which other weights train.
        self._with_penalties = training
        try:
            loss = super().compute_loss(*args, training=training, **kwargs)
        finally:
            self._with_penalties = True
        if not training or not self._strength:
            return loss
        penalty = anchoring.starting_point_penalty(
            self._anchored.value, self._starting_point.value, self._strength
        )
        # Keras adds up the replicas' losses; each brings its share.
        replicas = tf.distribute.get_strategy().num_replicas_in_sync
        return loss + penalty / replicas

    def create_metric_variables(self, spec):
        """Creates the variables of losses and metrics, as a step would.

        TensorFlow traces a function twice where it creates variables, and a
        training step takes seconds to trace.

        Args:
            spec: `tf.TypeSpec`s of a batch.
        """
        _, *given = spec
        example = [*given, self.network.outputs]
        if not all(map(_has_static_rows, keras.tree.flatten(example))):
            return
        *given, outputs = keras.tree.map_structure(_zeros, example)
        outputs = graph.pack_outputs(self.network, outputs)
        targets, weights = (*given, None)[:2]
        self.compute_loss(
            y=targets, y_pred=outputs, sample_weight=weights, training=False
        )
        self.compute_metrics(None, targets, outputs, weights)
        self.reset_metrics()

    def save(self, filepath, *args, **kwargs):
        """Saves the user's model, as callbacks expect it."""
        return self.network.save(filepath, *args, **kwargs)

    def save_weights(self, filepath, *args, **kwargs):
        """Saves the weights of the user's model."""
        return self.network.save_weights(filepath, *args, **kwargs)

    def load_weights(self, filepath, *args, **kwargs):
        """Loads weights into the user's model, in place."""
        return self.network.load_weights(filepath, *args, **kwargs)

    def make_train_function(self, force=False):
        if self.train_function is None or force:
            self.train_function = train_function.TrainFunction(self)
        return self.train_function

    def make_test_function(self, force=False):
        # On one device Keras' own does.
        if not tf.distribute.has_strategy():
            return super().make_test_function(force)
        if self.test_function is None or force:
            self.test_function = train_function.TestFunction(self)
        self.test_function.start()
        return self.test_function

    def batch_of(self, part):
        batch, _ = _unpacked(part)
        return batch

    def _as_declared(self, inputs):
        """Inputs in the forms and dtypes of the network's own inputs."""
        if self._runs_whole:
            return graph.as_declared(self.network, inputs)
        return [
            keras.ops.cast(value, tensor.dtype)
            for value, tensor in zip(
                keras.tree.flatten(inputs), self.step_inputs, strict=True
            )
        ]


def call_in_mode(operation, mode, *args, **kwargs):
    """Calls an operation in training mode or in inference mode.

    Args:
        operation: A layer, or another Keras operation.
        mode: Its `training` argument; None for the one it was built with.
        *args: Its arguments.
        **kwargs: Those by name.
    """
    # A layer whose `call` takes no `training` gets it too: Keras keeps it
    # from `call` and hands it on to the layers inside.
    if mode is not None and isinstance(operation, keras.layers.Layer):
        kwargs["training"] = mode
    return operation(*args, **kwargs)


def infer(operation, *args, **kwargs):
    """Calls an operation in inference mode."""
    return call_in_mode(operation, False, *args, **kwargs)


def _unpacked(data):
    """A batch and None, or a part's examples and its share."""
    return data if isinstance(data, parts.Part) else (data, None)


class _Hidden:
    """A value that Keras neither tracks nor saves."""

    def __init__(self, value):
        self.value = value


def _distinct(weights) -> _Hidden:
    return _Hidden(list({id(weight): weight for weight in weights}.values()))


def _has_static_rows(spec) -> bool:
    """Whether only the size of the batch is open."""
    shape = tf.TensorShape(spec.shape)
    return bool(shape.rank) and None not in shape.as_list()[1:]


def _zeros(spec):
    """A batch of one, of zeros."""
    return tf.zeros((1, *spec.shape[1:]), spec.dtype)
