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
from tl_keras.tuning import freezing
from tl_keras.tuning import kernels
from tl_keras.tuning import lora
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
        trained_parameters: Number of parameters that trained, those of
            adapters among them.
        frozen_parameters: Number of all others of the model.
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
        """What a phase trains: weights of the model, and adapters'.

        Args:
            phase: A `Phase`.
            monitor: Name of the score that chooses the weights, or None.

        Raises:
            ValueError: If the phase could not be carried out.
        """
        trained = freezing.choose(phase, self.groups)
        self._check_anchor(phase)
        if phase.patience is not None and monitor is None:
            raise ValueError(
                f"`patience` of phase {phase.name!r} waits for a better "
                "validation score, and there is no validation data. Leave "
                "`patience` out, or give validation data."
            )
        optimizer, variables = self._optimizer(phase, trained)
        if monitor is not None and optimizers.averages_weights(optimizer):
            raise ValueError(
                f"The optimizer of phase {phase.name!r} averages weights "
                "(`use_ema`), and its averages would be lost: the best epoch's "
                "weights are kept, and Keras averages only at the end. Leave "
                "`use_ema` out, or give no validation data and no `monitor`."
            )
        self.feed.train(phase, 0, 1)
        return variables

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
        trained = freezing.choose(phase, self.groups)
        optimizer, variables = self._optimizer(phase, trained)
        moving, resting = count_parameters(variables, self.model)
        if self.verbose:
            print(
                f"Phase {phase.name!r} trains "
                f"{', '.join(phase.groups(self.groups.names))}: {moving:,} "
                f"of {moving + resting:,} parameters.",
                flush=True,
            )
        training_model = self._training_model(phase, trained)
        training_model.compile(
            optimizer=optimizer,
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
            trained_parameters=moving,
            frozen_parameters=resting,
        )

    def _check_anchor(self, phase):
        if phase.starting_point_strength and len(self.groups.names) < 2:
            raise ValueError(
                "`starting_point_strength` pulls the encoder, which is every "
                f"group but the last. Got one group: {self.groups.names}. "
                "Name the encoder's layers and the head's by `groups`."
            )

    def _training_model(self, phase, trained) -> TrainingModel:
        anchored = {}
        if phase.starting_point_strength:
            anchored = {
                id(weight): weight
                for weight in trained.weights
                if id(weight) in self.starting_point
            }
        return TrainingModel(
            self.network,
            trained.operations,
            trained.weights,
            model=self.model,
            anchored=anchored.values(),
            starting_point=[self.starting_point[key] for key in anchored],
            strength=phase.starting_point_strength,
        )

    def _optimizer(self, phase, trained) -> tuple:
        """The optimizer of a phase, and the variables that it moves."""
        adapters = []
        if trained.adapted:
            adapters = lora.adapters_for(
                trained.adapted,
                phase.lora_rank,
                phase.lora_alpha,
                seed=self.seed,
            )
        variables = lora.trained_variables(trained.weights, adapters)
        factors = self._rate_factors(phase, adapters)
        optimizer = optimizers.make(
            phase,
            optimizers.learning_rate(phase, *self._steps(phase)),
            [
                (
                    variable,
                    factors[id(variable)],
                    phase.weight_decay if kernels.is_kernel(variable) else 0.0,
                )
                for variable in variables
            ],
            adapters,
            scale_loss=any(
                layer.compute_dtype == "float16"
                for layer in graph.layers_within(self.model)
            ),
        )
        return optimizer, variables

    def _rate_factors(self, phase, adapters) -> dict[int, float]:
        """From the id of each variable to its share of the head's rate."""
        by_group = optimizers.group_factors(
            phase, self.groups.names, phase.groups(self.groups.names)
        )
        factors = {
            id(weight): factor
            for group, factor in by_group.items()
            for member in self.groups.members[group]
            for weight in member.weights
        }
        for adapter in adapters:
            factor = factors[id(adapter.kernel)]
            factors[id(adapter.a)] = factors[id(adapter.b)] = factor
        return factors

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


def _module_state(training_model) -> list:
    """What modules in training mode move by themselves, e.g. statistics."""
    return [
        weight
        for operation, _ in graph.operations(training_model.network)
        if graph.parts_of(operation) and training_model.trains(operation)
        for weight in operation.non_trainable_weights
        if weight.dtype.startswith("float")
    ]


def count_parameters(variables, model) -> tuple[int, int]:
    """Numbers of parameters that train, and of all others of a model.

    Args:
        variables: What trains, each at least once: weights of `model`, and
            what its adapters have.
        model: A `keras.Model`.
    """
    trained = {id(variable): variable for variable in variables}
    others = [w for w in model.weights if id(w) not in trained]
    return _count(trained.values()), _count(others)


def _count(variables) -> int:
    return sum(math.prod(variable.shape) for variable in variables)


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
