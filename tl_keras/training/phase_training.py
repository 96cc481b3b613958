"""One phase carried out: what trains, with which optimizer, by `model.fit`."""

import dataclasses
import hashlib
import math
import time

import keras
import tensorflow as tf

from tl_keras import graph
from tl_keras.training import batch_norm
from tl_keras.training import best_weights
from tl_keras.training import compiled as compiled_models
from tl_keras.training import guards
from tl_keras.training import log
from tl_keras.training import optimizers
from tl_keras.training import phase_record
from tl_keras.training import prefix_cache
from tl_keras.training import pruner as pruners
from tl_keras.training import replica_means
from tl_keras.training import replicas
from tl_keras.training import seeds
from tl_keras.training import skipping_callbacks
from tl_keras.training import step_trial
from tl_keras.training import strategies
from tl_keras.training import timed_choices
from tl_keras.training import weights_average
from tl_keras.training.training_model import TrainingModel
from tl_keras.tuning import freezing
from tl_keras.tuning import kernels
from tl_keras.tuning import lora
from tl_keras.tuning import pruning
from tl_keras.tuning import pruning_settings
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
        waiting: For each epoch, which share of the time for training, in
            [0, 1], passed in wait for data.
        prefix_cache: The `CacheReport`.
        sparsity: Share of zeros at its end, in [0, 1], in the kernels that it
            pruned or whose zeros it kept; None without such kernels.
    """

    name: str
    groups: tuple[str, ...]
    seconds: float
    epochs: int
    best_score: float | None
    trained_parameters: int
    frozen_parameters: int
    waiting: tuple[float, ...]
    prefix_cache: prefix_cache.CacheReport
    sparsity: float | None = None

    @classmethod
    def from_dict(cls, values: dict) -> "PhaseResult":
        """The result of which `dataclasses.asdict` gave these values."""
        report = dict(values["prefix_cache"])
        report["cut"] = tuple(report["cut"])
        return cls(
            **{
                **values,
                "groups": tuple(values["groups"]),
                "waiting": tuple(values["waiting"]),
                "prefix_cache": prefix_cache.CacheReport(**report),
            }
        )


@dataclasses.dataclass(frozen=True)
class PhaseTraining:
    """What all phases of one `fit` have in common.

    Attributes:
        model: The user's model.
        rest: What of its graph runs in a training step, where its beginning
            runs in the input pipeline; None for all.
        groups: Its layer groups.
        feed: What it reads.
        prefixes: The `Prefixes` of the whole `fit`.
        loss: A Keras loss.
        metrics: Keras metrics.
        starting_point: Id of each weight of the encoder to its value before
            the first phase; empty if no phase asks for it.
        masked: Name of each phase to its `pruning.Masked`.
        seed: Of the layers that draw numbers.
        callbacks: The user's callbacks.
        choices: The `TimedChoices` of the whole `fit`.
        step_trial: Whether the way to run steps may be chosen by a trial.
        static: Whether all batches are of one size, as on a TPU.
        verbose: 0, 1 or 2, as in Keras.
    """

    model: keras.Model
    rest: graph.Flat | None
    groups: LayerGroups
    feed: object
    prefixes: prefix_cache.Prefixes
    loss: object
    metrics: list
    starting_point: dict
    masked: dict[str, pruning.Masked]
    seed: int
    callbacks: tuple
    choices: timed_choices.TimedChoices
    step_trial: bool
    static: bool
    verbose: int

    def compiled(self, phase) -> compiled_models.Compiled:
        """The compiled training model of a phase, without a prefix cache.

        Raises:
            ValueError: If there cannot be one.
        """
        self._check_parts(phase)
        return self._compiled(
            phase, freezing.choose(phase, self.groups), self.rest
        )

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
        known = compiled_models.find(self.model, self._key(phase, trained))
        if known is not None:
            optimizer = known.training_model.optimizer
            variables = known.variables
        else:
            optimizer, variables, _ = self._optimizer(phase, trained)
        if monitor is not None and optimizers.averages_weights(optimizer):
            raise ValueError(
                f"The optimizer of phase {phase.name!r} averages weights "
                "(`use_ema`), and its averages would be lost: the best epoch's "
                "weights are kept, and Keras averages only at the end. Write "
                "`weights_average=0.999`, a field of the phase, in its place."
            )
        self._check_optimizer(phase, optimizer)
        self._check_parts(phase)
        self.prefixes.check(phase)
        if not phase.augmentation.mix_features:
            self.feed.train(phase, 0, 1)
        return variables

    def run(self, phase, best, rows, keeper) -> PhaseResult:
        """Trains one phase, or what is left of it.

        Args:
            phase: A `Phase`.
            best: The `BestWeights` of the whole `fit`.
            rows: The `EpochLog` of the whole `fit`.
            keeper: The `Keeper` of the whole `fit`.

        Returns:
            A `PhaseResult`.
        """
        began = time.perf_counter()
        under_way = keeper.under_way
        first_epoch = len(rows.rows)
        if under_way is not None:
            first_epoch = under_way["first_epoch"]
        rows.phase_name = phase.name
        trained = freezing.choose(phase, self.groups)
        log.teller(self.verbose)(self._headline(phase, trained))
        feed, rest, report = self.prefixes.apply(phase)
        if feed is None:
            feed, rest = self.feed, self.rest
        compiled = self._compiled(phase, trained, rest)
        pruner = compiled.training_model.pruner
        if pruner is not None:
            pruner.restart()
        average = compiled.training_model.average
        if average is not None:
            average.restart()
        first_sparse = self._first_sparse_epoch(phase)
        if first_sparse is not None:
            best.begin_anew(first_sparse)
        if under_way is not None:
            chosen = under_way["chosen"]
        else:
            chosen = self._chosen_steps(phase, compiled, feed, first_epoch)
        step_trial.apply(compiled, chosen)
        stopping = _early_stopping(phase, best.monitor, first_sparse or 0)
        record = phase_record.PhaseRecord(
            keeper,
            compiled,
            stopping,
            {"first_epoch": first_epoch, "chosen": chosen},
            self._epochs(phase),
            began,
        )
        callbacks = [
            *self._own_callbacks(phase, feed, compiled, first_epoch),
            rows,
            *best.callbacks(),
            *stopping,
            *self.callbacks,
        ]
        if average is not None:
            callbacks = [
                weights_average.ShowAverages(average, pruner),
                *callbacks,
                weights_average.HideAverages(average),
            ]
        callbacks.append(record)
        self._fit(phase, feed, compiled, callbacks, record, first_epoch)
        if pruner is not None:
            # Averages over steps take the place of what was averaged.
            pruner.apply()
        # The next phase goes on from the best weights.
        best.restore()
        moving, resting = count_parameters(compiled.variables, self.model)
        return PhaseResult(
            name=phase.name,
            groups=phase.groups(self.groups.names),
            seconds=time.perf_counter() - record.began,
            epochs=len(rows.rows) - first_epoch,
            best_score=best.phase_score,
            trained_parameters=moving,
            frozen_parameters=resting,
            waiting=tuple(row["waiting"] for row in rows.rows[first_epoch:]),
            prefix_cache=report,
            sparsity=None if pruner is None else pruner.sparsity(),
        )

    def _fit(self, phase, feed, compiled, callbacks, record, first_epoch):
        """Runs the steps of a phase that an earlier process has not run."""
        training_model = compiled.training_model
        steps_per_epoch, total_steps = self._steps(phase)
        epochs, epoch = self._epochs(phase), record.first_epoch
        function = training_model.train_function
        function.start(steps_per_epoch, total_steps)
        function.go_on(epoch, record.first_step, record.restore)
        # Where an epoch's steps are done, its validation may still be due.
        next_epoch, next_step = divmod(function.goes_on_at, steps_per_epoch)
        which = (
            first_epoch + next_epoch,
            max(1, epochs - next_epoch),
            next_step,
        )
        if tf.distribute.has_strategy():
            batches = replicas.distributed(
                lambda parts: feed.train(phase, *which, parts)
            )
        else:
            batches = feed.train(phase, *which)
            if training_model.steps_per_execution > 1 or record.first_step:
                # Keras counts as if no call were cut short at the end of an
                # epoch, and none skipped, and would take the data for used up.
                batches = batches.repeat()
        for metric in self.metrics:
            # Keras does not, before the first step of another model.
            if isinstance(metric, keras.metrics.Metric):
                metric.reset_state()
        training_model.fit(
            batches,
            initial_epoch=epoch,
            epochs=epochs,
            steps_per_epoch=steps_per_epoch,
            **_validation(feed, training_model),
            shuffle=False,
            callbacks=skipping_callbacks.SkippingCallbacks(
                callbacks,
                add_history=True,
                add_progbar=self.verbose != 0,
                verbose=self.verbose,
                epochs=epochs,
                steps=steps_per_epoch,
                model=training_model,
            ),
            verbose=self.verbose,
        )

    def _check_optimizer(self, phase, optimizer):
        averages = optimizers.averages_weights(optimizer)
        if averages and phase.weights_average is not None:
            raise ValueError(
                f"Phase {phase.name!r} averages weights twice. Got: "
                f"`weights_average={phase.weights_average}`, and `use_ema` of "
                "its optimizer. Leave `use_ema` out."
            )
        count = tf.distribute.get_strategy().num_replicas_in_sync
        if optimizers.accumulates(optimizer) and count > 1:
            raise ValueError(
                f"The optimizer of phase {phase.name!r} has "
                "`gradient_accumulation_steps`, with which Keras fails on "
                f"several replicas (keras#20582). Got: {count} replicas. "
                "Write `micro_batches=...`, a field of the phase: parts of "
                "one batch, whose size you raise."
            )

    def _check_parts(self, phase):
        if not self.static:
            return
        count = tf.distribute.get_strategy().num_replicas_in_sync
        batch_size = self.feed.batch_size
        if batch_size % (count * phase.micro_batches):
            raise ValueError(
                f"On a TPU, parts of a batch are all of one size. Got: batches "
                f"of {batch_size}, {count} cores, and `micro_batches="
                f"{phase.micro_batches}` of phase {phase.name!r}. Expected "
                f"batches of a multiple of {count * phase.micro_batches}."
            )

    def _check_anchor(self, phase):
        if phase.starting_point_strength and len(self.groups.names) < 2:
            raise ValueError(
                "`starting_point_strength` pulls the encoder, which is every "
                f"group but the last. Got one group: {self.groups.names}. "
                "Name the encoder's layers and the head's by `groups`."
            )

    def _headline(self, phase, trained) -> str:
        moving, resting = count_parameters(trained.weights, self.model)
        adapted = f", {len(trained.adapted)} kernels by adapters"
        return (
            f"Phase {phase.name!r} trains "
            f"{', '.join(phase.groups(self.groups.names))}: {moving:,} of "
            f"{moving + resting:,} parameters"
            f"{adapted if trained.adapted else ''}."
        )

    def _compiled(self, phase, trained, rest):
        """The compiled training model of a phase, from an earlier `fit` too."""
        key, rest_key = self._key(phase, trained), _rest_key(rest)
        known = compiled_models.find(self.model, key)
        if known is not None and known.rest == rest_key:
            known.restart()
            return known
        optimizer, variables, adapters = self._optimizer(phase, trained)
        average = None
        if phase.weights_average is not None:
            average = weights_average.WeightsAverage(
                variables, phase.weights_average, adapters
            )
        training_model = self._training_model(phase, trained, rest, average)
        training_model.compile(
            optimizer=optimizer,
            loss=self.loss,
            # Of weights they are not to know, but for what fills a batch up.
            metrics=None if self.static else list(self.metrics),
            weighted_metrics=list(self.metrics) if self.static else None,
            # XLA made training several times slower on CPUs, and fails under
            # strategies: https://github.com/keras-team/keras/issues/20763
            jit_compile=False,
        )
        training_model.make_train_function()
        held = tuple(one.start for one in adapters)
        made = compiled_models.Compiled(
            training_model, variables, rest_key, held
        )
        if key is not None:
            compiled_models.keep(self.model, key, made)
        return made

    def _key(self, phase, trained):
        """What a compiled training model can be used again for, or None.

        Adapters, and the pull to the start, hold values of the weights that
        this `fit` began with.
        """
        if trained.adapted or phase.starting_point_strength:
            return None
        return (
            repr(phase),
            self._steps(phase),
            tuple(map(id, trained.operations)),
            tuple(map(id, trained.weights)),
            tuple(self._rate_factors(phase, ()).items()),
            tuple(map(id, self.masked[phase.name].kernels)),
            self.masked[phase.name].earlier,
            compiled_models.key_of(self.loss),
            tuple(map(compiled_models.key_of, self.metrics)),
            id(tf.distribute.get_strategy()),
            self.static,
        )

    def _chosen_steps(self, phase, compiled, feed, first_epoch) -> dict:
        """How many steps run at a time, and whether by XLA."""
        _, total_steps = self._steps(phase)
        chosen = {"steps_per_execution": 1, "jit_compile": False}
        if strategies.runs_on_tpu():
            return step_trial.for_tpu(self.callbacks)
        if self.step_trial and total_steps >= step_trial.FEWEST_STEPS:
            batches = feed.train(phase, first_epoch, 1)
            subject = (
                f"{phase}, {total_steps} steps of {batches}, "
                f"{sorted(d.name for d in tf.config.list_logical_devices())}"
            )
            chosen = self.choices.get(
                hashlib.sha256(subject.encode()).hexdigest()[:16],
                f"steps of {phase.name}",
                lambda: step_trial.choose(
                    compiled,
                    self._endless(phase, feed, first_epoch),
                    total_steps,
                    self.callbacks,
                ),
            )
            log.teller(self.verbose)(_told(chosen))
        return chosen

    def _endless(self, phase, feed, epoch):
        """The batches of an epoch, again and again."""
        if tf.distribute.has_strategy():
            return replicas.distributed(
                lambda parts: feed.train(phase, epoch, 1, parts=parts)
            )
        return feed.train(phase, epoch, 1).repeat()

    def _training_model(self, phase, trained, rest, average) -> TrainingModel:
        anchored = {}
        if phase.starting_point_strength:
            anchored = {
                id(weight): weight
                for weight in trained.weights
                if id(weight) in self.starting_point
            }
        return TrainingModel(
            self.model,
            trained.operations,
            trained.weights,
            rest=rest,
            anchored=anchored.values(),
            starting_point=[self.starting_point[key] for key in anchored],
            strength=phase.starting_point_strength,
            micro_batch_count=phase.micro_batches,
            fills_validation=self.static,
            pruner=self._pruner(phase),
            average=average,
        )

    def _pruner(self, phase):
        masked = self.masked[phase.name]
        if not masked.kernels:
            return None
        settings = phase.pruning or pruning_settings.Pruning(None)
        _, total_steps = self._steps(phase)
        return pruners.Pruner(
            masked, settings.schedule(total_steps), settings.scope
        )

    def _first_sparse_epoch(self, phase) -> int | None:
        """The epoch that ends with the final sparsity; None without one."""
        steps_per_epoch, total_steps = self._steps(phase)
        schedule = phase.pruning and phase.pruning.schedule(total_steps)
        if not schedule:
            return None
        last_step, _ = schedule[-1]
        return -(-last_step // steps_per_epoch) - 1

    def _optimizer(self, phase, trained) -> tuple:
        """The optimizer of a phase, the variables that it moves, adapters."""
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
        return optimizer, variables, adapters

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

    def _epochs(self, phase) -> int:
        steps_per_epoch, total_steps = self._steps(phase)
        return -(-total_steps // steps_per_epoch)

    def _own_callbacks(self, phase, feed, compiled, first_epoch):
        training_model = compiled.training_model
        callbacks = [
            seeds.SeedLayers(self.model, self.seed, first_epoch),
            guards.StopAtNonFinite(phase.name),
        ]
        if phase.steps is not None:
            callbacks.append(guards.StopAfterSteps(phase.steps))
        callbacks.append(
            replica_means.AverageOverReplicas(
                _module_state(training_model), feed.validates
            )
        )
        if batch_norm.trained_statistics(training_model):
            if "observe" not in compiled.traced:
                observe = batch_norm.observer(training_model)
                compiled.traced["observe"] = observe
            callbacks.append(
                batch_norm.ReestimateStatistics(
                    training_model,
                    compiled.traced["observe"],
                    lambda epoch: feed.train(phase, first_epoch + epoch, 1),
                    feed.validates,
                )
            )
        return callbacks


def _validation(feed, training_model) -> dict:
    """Keras' arguments for the validation data."""
    if not feed.validates:
        return {}
    if not tf.distribute.has_strategy():
        return {"validation_data": feed.validation()}
    training_model.make_test_function()
    training_model.test_function.steps = feed.validation_steps
    return {
        "validation_data": replicas.distributed(feed.validation),
        "validation_steps": feed.validation_steps,
    }


def _rest_key(rest):
    """What tells one rest of a model's graph from another."""
    if rest is None:
        return None
    return tuple(id(value.tensor) for value in rest.inputs)


def _told(chosen) -> str:
    at_a_time = chosen["steps_per_execution"]
    xla = "by XLA" if chosen["jit_compile"] else "without XLA"
    return f"A trial chose {at_a_time} steps at a time, {xla}."


def _module_state(training_model) -> list:
    """What modules in training mode move by themselves, e.g. statistics."""
    return [
        weight
        for operation in training_model.operations
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


def _early_stopping(phase, monitor, first_epoch) -> list:
    if phase.patience is None or monitor is None:
        return []
    rises = best_weights.higher_is_better(monitor)
    return [
        keras.callbacks.EarlyStopping(
            monitor,
            patience=phase.patience,
            mode="max" if rises else "min",
            start_from_epoch=first_epoch,
        )
    ]
