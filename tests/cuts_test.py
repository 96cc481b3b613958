"""A graph in two computes what it did whole, and is cut where it is narrow."""

import keras
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized
from keras import layers

from tl_keras import cuts
from tl_keras import graph

_RNG = np.random.default_rng(0)


def run(part, inputs):
    """What a part gives for arrays, as arrays that know of no graph."""

    def call(operation, *args, **kwargs):
        return operation(*args, **kwargs)

    tensors = [tf.constant(one) for one in inputs]
    return [output.numpy() for output in part.run(tensors, call)]


def names(part):
    return [call.operation.name for call in part.calls]


def made_by(values):
    """The name of the operation that makes each value."""
    return [graph.producer_of(value.tensor).name for value in values]


def written_by(whole, *wanted):
    """The values that operations of these names make, in graph order."""
    return tuple(
        value
        for call in whole.calls
        if call.operation.name in wanted
        for value in call.writes
    )


def moves(*wanted):
    """Says of operations of these names that they move."""
    return lambda operation: operation.name in wanted


def numbers(*shape):
    return _RNG.normal(size=shape).astype("float32")


def chain():
    return keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(5, name="a"),
            layers.ReLU(name="b"),
            layers.Dense(3, name="c"),
            layers.Dense(2, name="d"),
        ]
    )


def skipping():
    """A connection that leads around `b`."""
    inputs = keras.Input((4,))
    a = layers.Dense(4, name="a")(inputs)
    b = layers.Dense(4, name="b")(a)
    both = layers.Add(name="add")([a, b])
    return keras.Model(inputs, layers.Dense(2, name="head")(both))


def two_inputs():
    left, right = keras.Input((3,)), keras.Input((2,))
    a = layers.Dense(4, name="a")(left)
    b = layers.Dense(5, name="b")(right)
    both = layers.Concatenate(name="both")([a, b])
    return keras.Model([left, right], layers.Dense(2, name="head")(both))


def shared():
    """A layer that is called twice, on what the cut gives and before."""
    inputs = keras.Input((4,))
    layer = layers.Dense(4, name="twice")
    middle = layers.ReLU(name="middle")(layer(inputs))
    return keras.Model(inputs, layer(middle))


def nested():
    """A Functional with two ways inside, and a Sequential, both opened."""
    inner_inputs = keras.Input((4,))
    a = layers.Dense(3, name="a")(inner_inputs)
    b = layers.Dense(3, name="b")(inner_inputs)
    inner = keras.Model(inner_inputs, [a, b], name="inner")
    behind = keras.Sequential(
        [
            keras.Input((3,)),
            layers.Dense(3, name="c"),
            layers.Dense(2, name="d"),
        ],
        name="behind",
    )
    inputs = keras.Input((4,))
    left, right = inner(inputs)
    return keras.Model(inputs, behind(layers.Add(name="add")([left, right])))


def nested_twice():
    """A model that is called twice: its tensors are the same both times."""
    inner = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Dense(4, name="a"),
            layers.Dense(4, name="b"),
        ]
    )
    inputs = keras.Input((4,))
    return keras.Model(inputs, inner(inner(inputs)))


def several_outputs():
    inputs = keras.Input((4,))
    a = layers.Dense(3, name="a")(inputs)
    b = layers.Dense(2, name="b")(a)
    return keras.Model(inputs, [b, a, layers.Dense(1, name="c")(b)])


class SplitTest(parameterized.TestCase):
    @parameterized.parameters(
        (chain, ["a"]),
        (chain, ["b"]),
        (chain, ["d"]),
        (skipping, ["a", "b"]),
        (skipping, ["add"]),
        (two_inputs, ["a", "b"]),
        (two_inputs, ["both"]),
        (shared, ["middle"]),
        (nested, ["a", "b"]),
        (nested, ["add"]),
        (nested, ["c"]),
        (several_outputs, ["a"]),
        (several_outputs, ["a", "b"]),
    )
    def test_both_parts_together_are_the_whole(self, build, cut):
        model = build()
        inputs = [numbers(6, *tensor.shape[1:]) for tensor in model.inputs]
        whole = graph.flat(model)
        first, rest = cuts.split(whole, written_by(whole, *cut))
        crossing = run(first, inputs)
        self.assertLen(crossing, len(cut))
        given = inputs[0] if len(inputs) == 1 else inputs
        expected = keras.tree.flatten(model(given, training=False))
        for got, want in zip(run(rest, crossing), expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)

    @parameterized.parameters(
        (chain, ["b"]),
        (skipping, ["a", "b"]),
        (two_inputs, ["b"]),
        (shared, ["middle"]),
    )
    def test_the_first_part_is_a_keras_model_up_to_there(self, build, cut):
        model = build()
        inputs = [numbers(6, *tensor.shape[1:]) for tensor in model.inputs]
        whole = graph.flat(model)
        values = written_by(whole, *cut)
        first = cuts.between(whole, whole.inputs, values)
        until = keras.Model(model.inputs, [value.tensor for value in values])
        expected = keras.tree.flatten(until(inputs))
        for got, want in zip(run(first, inputs), expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-5, atol=1e-6)

    def test_no_call_is_in_both_parts_or_in_none(self):
        whole = graph.flat(nested())
        first, rest = cuts.split(whole, written_by(whole, "a", "b"))
        self.assertCountEqual(names(first), ["a", "b"])
        self.assertEqual(names(rest), ["add", "c", "d"])

    def test_a_shared_layer_runs_in_both_parts(self):
        whole = graph.flat(shared())
        first, rest = cuts.split(whole, written_by(whole, "middle"))
        self.assertEqual(names(first), ["twice", "middle"])
        self.assertEqual(names(rest), ["twice"])

    def test_each_call_of_a_nested_model_has_cuts_of_its_own(self):
        model = nested_twice()
        inputs = [numbers(3, 4)]
        whole = graph.flat(model)
        once, twice = (call.writes for call in whole.calls[1::2])
        inner = model.layers[-1]
        first, rest = cuts.split(whole, once)
        np.testing.assert_allclose(
            run(first, inputs)[0], inner(inputs[0]), rtol=1e-5
        )
        self.assertEqual(names(rest), ["a", "b"])
        first, rest = cuts.split(whole, twice)
        np.testing.assert_allclose(
            run(first, inputs)[0], inner(inner(inputs[0])), rtol=1e-5
        )
        self.assertEqual(names(rest), [])

    def test_inputs_may_cross_too(self):
        model = two_inputs()
        whole = graph.flat(model)
        inputs = [numbers(5, 3), numbers(5, 2)]
        cut = (whole.inputs[1], *written_by(whole, "a"))
        first, rest = cuts.split(whole, cut)
        crossing = run(first, inputs)
        np.testing.assert_array_equal(crossing[0], inputs[1])
        np.testing.assert_allclose(
            run(rest, crossing)[0], model(inputs), rtol=1e-5
        )

    def test_the_rest_trains_like_the_whole(self):
        model = chain()
        inputs = numbers(6, 4)
        whole = graph.flat(model)
        first, rest = cuts.split(whole, written_by(whole, "b"))
        crossing = [tf.constant(one) for one in run(first, [inputs])]
        weights = model.get_layer("d").trainable_variables

        def call(operation, *args, **kwargs):
            return operation(*args, **kwargs)

        @tf.function
        def gradients():
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(rest.run(crossing, call)[0] ** 2)
            return tape.gradient(loss, [weight.value for weight in weights])

        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(model(inputs) ** 2)
        expected = tape.gradient(loss, [weight.value for weight in weights])
        for got, want in zip(gradients(), expected, strict=True):
            np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-5)


class BetweenTest(absltest.TestCase):
    def test_is_none_where_a_way_leads_around_what_is_given(self):
        whole = graph.flat(skipping())
        given = written_by(whole, "b")
        self.assertIsNone(cuts.between(whole, given, whole.outputs))

    def test_is_none_where_what_is_wanted_comes_before(self):
        whole = graph.flat(chain())
        given, wanted = written_by(whole, "b"), written_by(whole, "a")
        self.assertIsNone(cuts.between(whole, given, wanted))

    def test_is_none_where_another_input_is_needed(self):
        whole = graph.flat(two_inputs())
        self.assertIsNone(cuts.between(whole, whole.inputs[:1], whole.outputs))

    def test_needs_no_more_inputs_than_are_read(self):
        whole = graph.flat(two_inputs())
        part = cuts.between(whole, whole.inputs[:1], written_by(whole, "a"))
        self.assertEqual(names(part), ["a"])

    def test_leaves_out_what_nobody_wants(self):
        whole = graph.flat(several_outputs())
        part = cuts.between(whole, whole.inputs, written_by(whole, "a"))
        self.assertEqual(names(part), ["a"])

    def test_of_values_to_themselves_calls_nothing(self):
        whole = graph.flat(chain())
        values = written_by(whole, "b")
        part = cuts.between(whole, values, values)
        self.assertEqual(names(part), [])
        inputs = numbers(2, 5)
        np.testing.assert_array_equal(run(part, [inputs])[0], inputs)

    def test_from_one_cut_to_a_later_one_is_what_lies_between(self):
        model = chain()
        whole = graph.flat(model)
        early, late = written_by(whole, "a"), written_by(whole, "c")
        part = cuts.between(whole, early, late)
        self.assertEqual(names(part), ["b", "c"])
        inputs = numbers(3, 5)
        np.testing.assert_allclose(
            run(part, [inputs])[0],
            # A ReLU by hand.
            model.get_layer("c")(np.maximum(inputs, 0.0)),
            rtol=1e-5,
        )

    def test_may_give_what_it_takes_beside_what_it_makes(self):
        whole = graph.flat(chain())
        given = written_by(whole, "a")
        part = cuts.between(whole, given, (*given, *written_by(whole, "b")))
        inputs = numbers(3, 5)
        same, positive = run(part, [inputs])
        np.testing.assert_array_equal(same, inputs)
        np.testing.assert_array_equal(positive, np.maximum(inputs, 0.0))


class BehindFrozenTest(parameterized.TestCase):
    def cut(self, model, *trained):
        return cuts.behind_frozen(graph.flat(model), moves(*trained))

    def test_is_behind_the_last_frozen_layer_of_a_chain(self):
        self.assertEqual(made_by(self.cut(chain(), "d")), ["c"])
        self.assertEqual(self.cut(chain(), "c")[0].tensor.shape, (None, 5))

    def test_is_at_the_outputs_where_nothing_moves(self):
        whole = graph.flat(several_outputs())
        cut = cuts.behind_frozen(whole, moves())
        self.assertEqual(set(cut), set(whole.outputs))

    def test_is_nowhere_where_nothing_with_weights_is_in_front(self):
        self.assertEqual(self.cut(chain(), "a"), ())
        self.assertEqual(self.cut(chain(), "a", "b", "c", "d"), ())
        model = keras.Sequential(
            [
                keras.Input((4, 4, 1)),
                layers.Rescaling(2.0),
                layers.Flatten(),
                layers.Dense(2, name="head"),
            ]
        )
        self.assertEqual(self.cut(model, "head"), ())

    def test_two_tensors_cross_where_a_connection_skips(self):
        inputs = keras.Input((4,))
        a = layers.Dense(4, name="a")(inputs)
        b = layers.Dense(3, name="b")(a)
        c = layers.Dense(4, name="c")(b)
        both = layers.Add(name="add")([a, c])
        model = keras.Model(inputs, layers.Dense(2, name="head")(both))
        self.assertEqual(made_by(self.cut(model, "c", "head")), ["a", "b"])

    def test_each_input_has_its_tensor(self):
        cut = self.cut(two_inputs(), "head")
        self.assertEqual(sum(v.tensor.shape[1] for v in cut), 4 + 5)

    def test_an_input_that_the_rest_reads_crosses(self):
        whole = graph.flat(two_inputs())
        cut = cuts.behind_frozen(whole, moves("a", "head"))
        self.assertEqual(set(cut), {whole.inputs[0], *written_by(whole, "b")})

    def test_an_output_in_front_crosses(self):
        whole = graph.flat(several_outputs())
        cut = cuts.behind_frozen(whole, moves("c"))
        self.assertEqual(set(cut), set(written_by(whole, "a", "b")))

    def test_an_output_that_is_an_input_crosses(self):
        inputs = keras.Input((4,))
        hidden = layers.Dense(2, name="hidden")(inputs)
        head = layers.Dense(1, name="head")(hidden)
        model = keras.Model(inputs, [head, inputs, hidden, hidden])
        whole = graph.flat(model)
        cut = cuts.behind_frozen(whole, moves("head"))
        self.assertEqual(cut, (*whole.inputs, *written_by(whole, "hidden")))
        images = numbers(3, 4)
        first, rest = cuts.split(whole, cut)
        for got, want in zip(
            run(rest, run(first, [images])), model(images), strict=True
        ):
            np.testing.assert_allclose(got, want, rtol=1e-5)

    def test_what_is_frozen_behind_what_trains_stays_in_the_rest(self):
        whole = graph.flat(chain())
        cut = cuts.behind_frozen(whole, moves("c"))
        first, rest = cuts.split(whole, cut)
        self.assertIn("d", names(rest))
        self.assertNotIn("d", names(first))

    def test_a_frozen_layer_beside_what_trains_is_in_front(self):
        inputs = keras.Input((4,))
        left = layers.Dense(3, name="frozen")(inputs)
        right = layers.Dense(2, name="trained")(inputs)
        both = layers.Concatenate(name="both")([left, right])
        whole = graph.flat(keras.Model(inputs, both))
        cut = cuts.behind_frozen(whole, moves("trained"))
        self.assertEqual(cut, (*whole.inputs, *written_by(whole, "frozen")))

    def test_a_layer_that_is_called_twice_is_frozen_both_times_or_never(self):
        self.assertEqual(self.cut(shared(), "twice"), ())

    def test_lies_inside_of_a_nested_model(self):
        self.assertEqual(made_by(self.cut(nested(), "d")), ["c"])
        whole = graph.flat(nested())
        cut = cuts.behind_frozen(whole, moves("b", "d"))
        self.assertEqual(cut, (*whole.inputs, *written_by(whole, "a")))

    def test_lies_before_a_padding_that_only_adds_zeros(self):
        model = keras.Sequential(
            [
                keras.Input((6, 6, 3)),
                layers.Conv2D(4, 3, name="conv"),
                layers.ZeroPadding2D(name="pad"),
                layers.Conv2D(4, 3, name="trained"),
            ]
        )
        self.assertEqual(made_by(self.cut(model, "trained")), ["conv"])

    def test_lies_behind_a_pooling_that_leaves_little(self):
        model = keras.Sequential(
            [
                keras.Input((6, 6, 3)),
                layers.Conv2D(4, 3, name="conv"),
                layers.ReLU(name="relu"),
                layers.GlobalAveragePooling2D(name="pool"),
                layers.Dense(2, name="head"),
            ]
        )
        self.assertEqual(made_by(self.cut(model, "head")), ["pool"])

    def test_lies_at_the_narrowest_of_several_cheap_layers(self):
        model = keras.Sequential(
            [
                keras.Input((8, 8, 3)),
                layers.Conv2D(4, 3, padding="same", name="conv"),
                layers.BatchNormalization(name="norm"),
                layers.MaxPooling2D(2, name="pool"),
                layers.UpSampling2D(4, name="large"),
                layers.Conv2D(2, 3, name="trained"),
            ]
        )
        # 8 * 8 * 4, then 4 * 4 * 4, then 16 * 16 * 4 numbers.
        self.assertEqual(made_by(self.cut(model, "trained")), ["pool"])

    def test_of_equally_narrow_cuts_leaves_least_to_compute(self):
        model = keras.Sequential(
            [
                keras.Input((6, 6, 3)),
                layers.Conv2D(4, 3, name="conv"),
                layers.BatchNormalization(name="norm"),
                layers.ReLU(name="relu"),
                layers.Conv2D(4, 3, name="trained"),
            ]
        )
        self.assertEqual(made_by(self.cut(model, "trained")), ["relu"])

    def test_does_not_go_back_over_a_kernel_to_a_narrower_place(self):
        model = keras.Sequential(
            [
                keras.Input((4,)),
                layers.Dense(2, name="narrow"),
                layers.Dense(50, name="wide"),
                layers.ReLU(name="relu"),
                layers.Dense(2, name="head"),
            ]
        )
        self.assertEqual(made_by(self.cut(model, "head")), ["relu"])

    def test_counts_bytes_and_not_numbers(self):
        inputs = keras.Input((4,))
        hidden = layers.Dense(4, name="hidden", dtype="float32")(inputs)
        small = layers.Activation("linear", dtype="float16", name="small")
        head = layers.Dense(1, name="head", dtype="float32")
        model = keras.Model(inputs, head(small(hidden)))
        self.assertEqual(made_by(self.cut(model, "head")), ["small"])

    def test_is_never_where_a_mask_would_be_lost(self):
        inputs = keras.Input((5,), dtype="int32")
        words = layers.Embedding(9, 4, mask_zero=True, name="words")(inputs)
        lstm = layers.LSTM(2, name="lstm")(words)
        model = keras.Model(inputs, layers.Dense(1, name="head")(lstm))
        self.assertEqual(self.cut(model, "lstm", "head"), ())
        whole = graph.flat(model)
        cut = cuts.behind_frozen(whole, moves("head"))
        self.assertEqual(made_by(cut), ["lstm"])
        first, rest = cuts.split(whole, cut)
        tokens = np.array([[1, 2, 0, 0, 0], [3, 4, 5, 6, 7]], np.int32)
        np.testing.assert_allclose(
            run(rest, run(first, [tokens]))[0], model(tokens), rtol=1e-5
        )

    def test_is_in_front_of_a_masked_place_where_that_can_be(self):
        inputs = keras.Input((5, 3))
        hidden = layers.Dense(4, name="before")(inputs)
        hidden = layers.Masking(name="masking")(hidden)
        hidden = layers.Dense(4, name="masked")(hidden)
        model = keras.Model(inputs, layers.LSTM(2, name="lstm")(hidden))
        self.assertEqual(made_by(self.cut(model, "lstm")), ["before"])

    def test_is_never_at_strings(self):
        texts = keras.Input((), dtype="string", name="texts")
        hashed = layers.Hashing(9, name="hashed")(texts)
        rows = layers.Embedding(9, 4, name="words")(hashed)
        model = keras.Model(texts, layers.Dense(1, name="head")(rows))
        self.assertEqual(made_by(self.cut(model, "head")), ["words"])
        # What reads the strings would be in front, but trains.
        self.assertEqual(self.cut(model, "hashed", "head"), ())
        also = layers.Hashing(7, name="also")(texts)
        other = layers.Embedding(7, 4, name="other")(also)
        model = keras.Model(texts, layers.Add()([rows, other]))
        self.assertEqual(made_by(self.cut(model, "other")), ["also", "words"])

    def test_is_never_at_a_size_that_is_not_known(self):
        inputs = keras.Input((None, None, 3))
        hidden = layers.Conv2D(4, 3, name="conv")(inputs)
        pooled = layers.GlobalAveragePooling2D(name="pool")(hidden)
        model = keras.Model(inputs, layers.Dense(2, name="head")(pooled))
        self.assertEqual(made_by(self.cut(model, "head")), ["pool"])
        self.assertEqual(self.cut(model, "pool", "head"), ())


class BytesPerExampleTest(absltest.TestCase):
    def test_adds_up_tensors_without_the_batch(self):
        whole = graph.flat(two_inputs())
        # 3 and 2 numbers of float32.
        self.assertEqual(cuts.bytes_per_example(whole.inputs), 4 * (3 + 2))

    def test_counts_the_dtype(self):
        inputs = keras.Input((2, 3), dtype="uint8")
        whole = graph.flat(keras.Model(inputs, inputs * 1))
        self.assertEqual(cuts.bytes_per_example(whole.inputs), 6)

    def test_a_scalar_is_one_number(self):
        inputs = keras.Input(())
        whole = graph.flat(keras.Model(inputs, inputs * 2.0))
        self.assertEqual(cuts.bytes_per_example(whole.inputs), 4)


class BehindStringsTest(absltest.TestCase):
    def test_is_where_the_last_string_is_read(self):
        texts = keras.Input((), dtype="string")
        hashed = layers.Hashing(9, name="hashed")(texts)
        rows = layers.Embedding(9, 2, name="rows")(hashed)
        model = keras.Model(texts, rows)
        whole = graph.flat(model)
        cut = cuts.behind_strings(whole)
        self.assertEqual(made_by(cut), ["hashed"])
        first, rest = cuts.split(whole, cut)
        words = np.array(["one", "two", "three"])
        np.testing.assert_array_equal(
            run(rest, run(first, [words]))[0], model(tf.constant(words))
        )

    def test_other_inputs_cross_as_they_are(self):
        texts = keras.Input((), dtype="string")
        hashed = layers.Hashing(9, name="hashed")(texts)
        rows = layers.Embedding(9, 2, name="rows")(hashed)
        others = keras.Input((3,))
        both = layers.Concatenate()([rows, others])
        whole = graph.flat(keras.Model([texts, others], both))
        cut = cuts.behind_strings(whole)
        self.assertEqual(
            set(cut), {whole.inputs[1], *written_by(whole, "hashed")}
        )

    def test_is_nowhere_without_strings(self):
        self.assertEqual(cuts.behind_strings(graph.flat(chain())), ())

    def test_is_nowhere_where_an_output_comes_of_strings(self):
        texts = keras.Input((), dtype="string")
        hashed = layers.Hashing(9)(texts)
        rows = layers.Embedding(9, 2)(hashed)
        whole = graph.flat(keras.Model(texts, [rows, hashed]))
        self.assertEqual(cuts.behind_strings(whole), ())

    def test_is_nowhere_where_what_reads_strings_has_weights(self):
        class Weighted(layers.Layer):
            def build(self, _):
                self.scale = self.add_weight(shape=())

            def call(self, texts):
                return tf.cast(tf.strings.length(texts), "float32") * self.scale

            def compute_output_spec(self, texts):
                return keras.KerasTensor(texts.shape, "float32")

        texts = keras.Input((), dtype="string")
        whole = graph.flat(keras.Model(texts, Weighted()(texts)))
        self.assertEqual(cuts.behind_strings(whole), ())


class IsInertTest(parameterized.TestCase):
    @parameterized.parameters(
        layers.ReLU,
        layers.Flatten,
        layers.Add,
        layers.GlobalAveragePooling2D,
        layers.ZeroPadding2D,
        layers.Softmax,
    )
    def test_is_true_without_weights_and_chance(self, make):
        self.assertTrue(cuts.is_inert(make()))

    def test_is_true_for_an_operation(self):
        doubled = keras.Input((2,)) * 2.0
        self.assertTrue(cuts.is_inert(graph.producer_of(doubled)))

    @parameterized.parameters(
        lambda: layers.Dropout(0.5),
        lambda: layers.GaussianNoise(0.1),
        lambda: layers.SpatialDropout2D(0.1),
        layers.BatchNormalization,
        lambda: layers.RandomFlip(),
        lambda: layers.ActivityRegularization(l2=0.1),
        lambda: layers.ReLU(activity_regularizer="l2"),
    )
    def test_is_false_where_training_mode_changes_something(self, make):
        layer = make()
        layer(np.zeros([2, 4, 4, 3], "float32"))
        self.assertFalse(cuts.is_inert(layer))

    def test_is_false_for_weights(self):
        layer = layers.Dense(2)
        layer.build((None, 3))
        self.assertFalse(cuts.is_inert(layer))

    def test_is_false_for_layers_that_others_wrote(self):
        class Own(layers.Layer):
            def call(self, inputs):
                return inputs

        self.assertFalse(cuts.is_inert(Own()))

    def test_is_false_for_a_layer_that_holds_others(self):
        wrapped = layers.TimeDistributed(layers.Dropout(0.5))
        self.assertFalse(cuts.is_inert(wrapped))


if __name__ == "__main__":
    absltest.main()
