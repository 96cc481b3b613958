"""One phase carried out: what trains, with which optimizer, by `model.fit`."""

import dataclasses
import math
import time

import keras

from tl_keras import graph
from tl_keras.training import batch_norm
from tl_keras.training import best_weights
from tl_keras.training import guards
from tl_keras.training import optimizers
from tl_keras.training import replica_means
from tl_keras.training import seeds
from tl_keras.training.training_model import TrainingModel
from tl_keras.tuning.groups import LayerGroups


@dataclasses.dataclass(frozen=True)
class PhaseResult:
    """What one phase did.

    Attributes:
        name: The phase's name.
        groups: Names of the layer groups that trained.
        seconds: How long it took, validation included.
        epochs: How many epochs it had.
        best_score: Its best value of `monitor`, or None without one.
        trained_parameters: Number of parameters that trained.
        frozen_parameters: Number of all others.
    """

    name: str
    groups: tuple[str, ...]
    seconds: float
    epochs: int
    best_score: float | None
    trained_parameters: int
    frozen_parameters: int


@dataclasses.dataclass(frozen=True)
class PhaseTraining:
    """What all phases of one `fit` have in common.

    Attributes:
        model: The user's model.
        network: What of it runs in a training step: all, or what comes behind
            the beginning that runs in the input pipeline.
        groups: Its layer groups.
        feed: What it reads.
        loss: A Keras loss.
        metrics: Keras metrics.
        starting_point: Id of each weight of the encoder to its value before
            the first phase; empty if no phase asks for it.
        seed: Of the layers that draw numbers.
        callbacks: The user's callbacks.
        verbose: 0, 1 or 2, as in Keras.
    """

    model: keras.Model
    network: keras.Model
    groups: LayerGroups
    feed: object
    loss: object
    metrics: list
    starting_point: dict
    seed: int
    callbacks: tuple
    verbose: int

    def check(self, phase, monitor) -> list:
        """The weights that a phase trains.

        Args:
            phase: A `Phase`.
            monitor: Name of the score that chooses the weights, or None.

        Raises:
            ValueError: If the phase could not be carried out.
        """
        self._check_modules(phase)
        training_model = self._training_model(phase)
        if not training_model.trainable_weights:
            raise ValueError(
                f"Nothing trains in phase {phase.name!r}: its groups "
                f"{phase.groups(self.groups.names)} have no trainable "
                "weights. Layers with `trainable=False` stay frozen."
            )
        self._check_batch_norm(phase)
        self._check_anchor(phase)
        if phase.patience is not None and monitor is None:
            raise ValueError(
                f"`patience` of phase {phase.name!r} waits for a better "
                "validation score, and there is no validation data. Leave "
                "`patience` out, or give validation data."
            )
        self._optimizer(phase, training_model)
        self.feed.train(phase, 0, 1)
        return training_model.trainable_weights

    def run(self, phase, best, rows) -> PhaseResult:
        """Trains one phase.

        Args:
            phase: A `Phase`.
            best: The `BestWeights` of the whole `fit`.
            rows: The `EpochLog` of the whole `fit`.

        Returns:
            A `PhaseResult`.
        """
        began = time.perf_counter()
        first_epoch = len(rows.rows)
        rows.phase_name = phase.name
        training_model = self._training_model(phase)
        trained, frozen = count_parameters(
            training_model.trainable_weights, self.model
        )
        if self.verbose:
            print(
                f"Phase {phase.name!r} trains "
                f"{', '.join(phase.groups(self.groups.names))}: {trained:,} "
                f"of {trained + frozen:,} parameters.",
                flush=True,
            )
        training_model.compile(
            optimizer=self._optimizer(phase, training_model),
            loss=self.loss,
            metrics=list(self.metrics),
            # XLA made training several times slower on CPUs, and fails under
            # strategies: https://github.com/keras-team/keras/issues/20763
            jit_compile=False,
        )
        steps_per_epoch, total_steps = self._steps(phase)
        epochs = -(-total_steps // steps_per_epoch)
        training_model.fit(
            self.feed.train(phase, first_epoch, epochs),
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            validation_data=self.feed.validation(),
            shuffle=False,
            callbacks=[
                *self._own_callbacks(phase, training_model, first_epoch),
                rows,
                *best.callbacks(),
                *_early_stopping(phase, best.monitor),
                *self.callbacks,
            ],
            verbose=self.verbose,
        )
        return PhaseResult(
            name=phase.name,
            groups=phase.groups(self.groups.names),
            seconds=time.perf_counter() - began,
            epochs=len(rows.rows) - first_epoch,
            best_score=best.phase_score,
            trained_parameters=trained,
            frozen_parameters=frozen,
        )

    def _check_modules(self, phase):
        for group in phase.groups(self.groups.names):
            for member in self.groups.members[group]:
                reason = getattr(member.operation, "frozen_because", None)
                if reason and member.weights:
                    raise ValueError(
                        f"Phase {phase.name!r} trains the group {group!r}, "
                        f"whose module {member.operation.name!r} cannot: "
                        f"{reason}. Train other groups: with the plan "
                        "`linear_probe` the head alone."
                    )

    def _check_batch_norm(self, phase):
        if phase.batch_norm == "train":
            return
        for group in phase.groups(self.groups.names):
            for member in self.groups.members[group]:
                operation = member.operation
                within = graph.layers_within(operation)
                if not isinstance(
                    operation, keras.layers.BatchNormalization
                ) and any(
                    isinstance(layer, keras.layers.BatchNormalization)
                    for layer in within
                ):
                    raise ValueError(
                        f"Phase {phase.name!r} keeps BatchNormalization in "
                        f"inference mode, but layer {operation.name!r} of "
                        f"group {group!r} calls one inside of itself, out of "
                        "reach. Freeze that group, or train with "
                        "`batch_norm='train'`."
                    )

    def _check_anchor(self, phase):
        if phase.starting_point_strength and len(self.groups.names) < 2:
            raise ValueError(
                "`starting_point_strength` pulls the encoder, which is every "
                f"group but the last. Got one group: {self.groups.names}. "
                "Name the encoder's layers and the head's by `groups`."
            )

    def _training_model(self, phase) -> TrainingModel:
        trained_groups = phase.groups(self.groups.names)
        members = [
            member
            for group in trained_groups
            for member in self.groups.members[group]
            if not _stays_frozen(member.operation, phase)
        ]
        # Of these, a module some parts of which are frozen runs frozen.
        in_part = {
            id(member.operation)
            for group in self.groups.names
            if group not in trained_groups
            for member in self.groups.members[group]
        }
        weights = [w for member in members for w in member.trainable_weights]
        anchored = {}
        if phase.starting_point_strength:
            anchored = {
                id(w): w for w in weights if id(w) in self.starting_point
            }
        return TrainingModel(
            self.network,
            [
                member.operation
                for member in members
                if id(member.operation) not in in_part
                and not _runs_frozen(member.operation, phase)
            ],
            weights,
            model=self.model,
            anchored=anchored.values(),
            starting_point=[self.starting_point[key] for key in anchored],
            strength=phase.starting_point_strength,
        )

    def _optimizer(self, phase, training_model):
        factors = optimizers.group_factors(
            phase, self.groups.names, phase.groups(self.groups.names)
        )
        settings = {}
        for group, factor in factors.items():
            for member in self.groups.members[group]:
                for weight in member.trainable_weights:
                    decay = phase.weight_decay if _decays(weight) else 0.0
                    settings[id(weight)] = (weight, factor, decay)
        return optimizers.make(
            phase,
            optimizers.learning_rate(phase, *self._steps(phase)),
            [settings[id(w)] for w in training_model.trainable_weights],
            scale_loss=any(
                layer.compute_dtype == "float16" for layer in self.model.layers
            ),
        )

    def _steps(self, phase) -> tuple[int, int]:
        """Steps of an epoch, and of the whole phase."""
        an_epoch = self.feed.steps_per_epoch
        if phase.steps is None:
            return an_epoch, phase.epochs * an_epoch
        return min(an_epoch, phase.steps), phase.steps

    def _own_callbacks(self, phase, training_model, first_epoch):
        callbacks = [
            seeds.SeedLayers(self.model, self.seed, first_epoch),
            guards.StopAtNonFinite(phase.name),
        ]
        if phase.steps is not None:
            callbacks.append(guards.StopAfterSteps(phase.steps))
        callbacks.append(
            replica_means.AverageOverReplicas(
                _module_state(training_model), self.feed.validates
            )
        )
        if batch_norm.trained_statistics(training_model):
            callbacks.append(
                batch_norm.ReestimateStatistics(
                    training_model,
                    lambda epoch: self.feed.train(
                        phase, first_epoch + epoch, 1
                    ),
                    self.feed.validates,
                )
            )
        return callbacks


def _stays_frozen(operation, phase) -> bool:
    """Whether an operation of a group that trains is frozen all the same."""
    if not getattr(operation, "trainable", True):
        return True
    return phase.batch_norm == "inference" and isinstance(
        operation, keras.layers.BatchNormalization
    )


def _runs_frozen(operation, phase) -> bool:
    """Whether an operation that trains runs in inference mode all the same.

    A module's own BatchNormalization is out of reach: where it is not to see
    the batch, the module as a whole runs in inference mode.
    """
    is_module = bool(graph.parts_of(operation))
    return is_module and phase.batch_norm == "inference"


def _module_state(training_model) -> list:
    """What modules in training mode move by themselves, e.g. statistics."""
    return [
        weight
        for operation, _ in graph.operations(training_model.network)
        if graph.parts_of(operation) and training_model.trains(operation)
        for weight in operation.non_trainable_weights
        if weight.dtype.startswith("float")
    ]


def _decays(weight) -> bool:
    """Whether weight decay applies: to kernels, not to vectors of a scale.

    Biases and the gamma and beta of every normalisation are vectors, and so
    are the learned scales of a layer or block.
    """
    return len(weight.shape) > 1


def count_parameters(trained_weights, model) -> tuple[int, int]:
    """Numbers of parameters that train and that do not.

    Args:
        trained_weights: The weights of `model` that train, each at least
            once.
        model: A `keras.Model`.
    """
    distinct = {id(weight): weight for weight in trained_weights}
    trained = sum(math.prod(w.shape) for w in distinct.values())
    return trained, sum(math.prod(w.shape) for w in model.weights) - trained


def _early_stopping(phase, monitor) -> list:
    if phase.patience is None or monitor is None:
        return []
    rises = best_weights.higher_is_better(monitor)
    return [
        keras.callbacks.EarlyStopping(
            monitor,
            patience=phase.patience,
            mode="max" if rises else "min",
        )
    ]
