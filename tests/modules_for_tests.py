"""Small SavedModels of many kinds, as TF Hub has them, made on the spot."""

import os
import pathlib

import numpy as np
import tensorflow as tf

# Where real modules may be; tests that use them are skipped without.
DATA = pathlib.Path(
    os.environ.get("TL_KERAS_DATA")
    or pathlib.Path(__file__).resolve().parents[2] / "shared" / "data"
)
WORDS = ("[UNK]", "good", "bad", "film", "a", "the", "very")
# A row for each word, and one for all others.
NUM_ROWS = len(WORDS) + 1
TOKEN_KEYS = ("input_word_ids", "input_mask", "input_type_ids")


class _Reusable(tf.Module):
    """An object whose lists of variables and losses are saved with it."""

    def publish(self, trainable, others=(), losses=()):
        # `tf.Module` has properties of these names, which are not saved; the
        # interface of reusable SavedModels is plain attributes.
        listed = tf.train.Checkpoint()
        listed.variables = [*trainable, *others]
        listed.trainable_variables = list(trainable)
        listed.regularization_losses = list(losses)
        listed.__call__ = self.__call__
        listed.inner = self
        return listed


class _Images(_Reusable):
    """Two convolutions with batch normalisation; the mean over the image."""

    def __init__(self, size):
        super().__init__()
        rng = np.random.default_rng(0)
        self.size = size

        def variable(name, *shape, trainable=True, value=None):
            if value is None:
                value = rng.normal(size=shape, scale=0.3)
            value = np.broadcast_to(value, shape).astype("float32")
            return tf.Variable(value, name=name, trainable=trainable)

        self.kernels = [
            variable("net/block_0_conv/kernel", 3, 3, 3, 4),
            variable("net/block_1_conv/kernel", 3, 3, 4, 6),
        ]
        self.gammas = [
            variable(f"net/block_{i}_BN/gamma", width, value=1.0)
            for i, width in enumerate((4, 6))
        ]
        self.betas = [
            variable(f"net/block_{i}_BN/beta", width, value=0.1)
            for i, width in enumerate((4, 6))
        ]
        self.means = [
            variable(
                f"net/block_{i}_BN/moving_mean",
                width,
                value=0.2,
                trainable=False,
            )
            for i, width in enumerate((4, 6))
        ]
        self.variances = [
            variable(
                f"net/block_{i}_BN/moving_variance",
                width,
                value=0.9,
                trainable=False,
            )
            for i, width in enumerate((4, 6))
        ]

    @tf.function
    def __call__(self, inputs, training=False, batch_norm_momentum=0.9):
        values = inputs
        for index, kernel in enumerate(self.kernels):
            values = tf.nn.conv2d(values, kernel, 2, "SAME")
            mean, variance = self.means[index], self.variances[index]
            if training:
                batch_mean, batch_variance = tf.nn.moments(values, [0, 1, 2])
                for old, new in (
                    (mean, batch_mean),
                    (variance, batch_variance),
                ):
                    share = 1.0 - batch_norm_momentum
                    old.assign_sub(share * (old - tf.stop_gradient(new)))
                mean, variance = batch_mean, batch_variance
            values = tf.nn.batch_normalization(
                values,
                mean,
                variance,
                self.betas[index],
                self.gammas[index],
                1e-3,
            )
            values = tf.nn.relu(values)
        return tf.reduce_mean(values, [1, 2])

    @tf.function(input_signature=[])
    def penalty(self):
        return 1e-2 * tf.nn.l2_loss(self.kernels[0])


def image_module(folder, size=8) -> str:
    """A feature vector of images, 6 wide, with `training` and momentum."""
    module = _Images(size)
    spec = tf.TensorSpec([None, size, size, 3], tf.float32, "inputs")
    momentum = tf.TensorSpec([], tf.float32, "batch_norm_momentum")
    for training in (False, True):
        module.__call__.get_concrete_function(spec, training)
        module.__call__.get_concrete_function(spec, training, momentum)
    saved = module.publish(
        [*module.kernels, *module.gammas, *module.betas],
        [*module.means, *module.variances],
        [module.penalty],
    )
    return _save(saved, folder)


class _Texts(_Reusable):
    """The mean of the words' embeddings, with the vocabulary in an asset."""

    def __init__(self, folder):
        super().__init__()
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "words.txt")
        pathlib.Path(path).write_text("\n".join(WORDS) + "\n")
        self.table = _table(path)
        rng = np.random.default_rng(0)
        rows = rng.normal(size=(NUM_ROWS, 5)).astype("float32")
        self.embeddings = tf.Variable(rows, name="embeddings")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, sentences):
        words = tf.strings.split(tf.strings.lower(sentences))
        rows = tf.ragged.map_flat_values(
            lambda word: tf.gather(self.embeddings, self.table.lookup(word)),
            words,
        )
        lengths = tf.cast(words.row_lengths(), tf.float32)[:, None]
        return tf.reduce_sum(rows, axis=1) / tf.maximum(lengths, 1.0)


def text_module(folder) -> str:
    """Strings to vectors, 5 wide; trainable, its vocabulary inside."""
    module = _Texts(f"{folder}-assets")
    return _save(module.publish([module.embeddings]), folder)


class _Preprocessor(tf.Module):
    def __init__(self, folder):
        super().__init__()
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, "words.txt")
        pathlib.Path(path).write_text("\n".join(WORDS) + "\n")
        self.table = _table(path)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def __call__(self, sentences):
        words = tf.strings.split(tf.strings.lower(sentences))
        ids = tf.ragged.map_flat_values(self.table.lookup, words)
        ids = tf.cast(ids.to_tensor(-1, shape=[None, 4]), tf.int32)
        mask = tf.cast(ids >= 0, tf.int32)
        return dict(
            zip(
                TOKEN_KEYS,
                (tf.maximum(ids, 0), mask, tf.zeros_like(ids)),
                strict=True,
            )
        )


def preprocessor_module(folder) -> str:
    """Strings to a dict of token ids, mask and type ids `[batch, 4]`."""
    return _save(_Preprocessor(f"{folder}-assets"), folder)


class _Tokens(_Reusable):
    def __init__(self, num_words):
        super().__init__()
        rng = np.random.default_rng(0)

        def variable(name, *shape):
            value = rng.normal(size=shape, scale=0.5).astype("float32")
            return tf.Variable(value, name=name)

        self.rows = variable("encoder/word_embeddings/table", num_words, 6)
        self.layers = [
            variable(f"encoder/transformer/layer_{i}/kernel", 6, 6)
            for i in range(2)
        ]

    @tf.function(
        input_signature=[
            {key: tf.TensorSpec([None, None], tf.int32) for key in TOKEN_KEYS}
        ]
    )
    def __call__(self, inputs):
        mask = tf.cast(inputs["input_mask"], tf.float32)[..., None]
        values = tf.gather(self.rows, inputs["input_word_ids"])
        for kernel in self.layers:
            values += tf.nn.tanh(values @ kernel)
        total = tf.reduce_sum(values * mask, axis=1)
        pooled = total / tf.maximum(tf.reduce_sum(mask, axis=1), 1.0)
        return {"pooled_output": pooled, "sequence_output": values}


def token_module(folder, num_words: int = NUM_ROWS) -> str:
    """A dict of tokens to a dict of features: half of a text pair."""
    module = _Tokens(num_words)
    return _save(module.publish([module.rows, *module.layers]), folder)


class _Clip(_Reusable):
    """YAMNet's interface: one clip `[N]` to scores, embeddings, spectrogram."""

    def __init__(self):
        super().__init__()
        rng = np.random.default_rng(0)
        kernel = rng.normal(size=(160, 7), scale=0.2).astype("float32")
        self.kernel = tf.Variable(kernel, name="conv0/kernel")
        self.bias = tf.Variable(np.zeros(7, "float32"), name="conv0/bias")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32)])
    def __call__(self, waveform):
        frames = tf.signal.frame(waveform, 160, 160, pad_end=True)
        embeddings = tf.nn.relu(frames @ self.kernel + self.bias)
        return tf.nn.sigmoid(embeddings[:, :2]), embeddings, frames[:, :3]


def clip_module(folder) -> str:
    """One waveform to three outputs, the second one embeddings 7 wide."""
    module = _Clip()
    return _save(module.publish([module.kernel, module.bias]), folder)


class _Waveforms(_Reusable):
    def __init__(self):
        super().__init__()
        kernel = np.linspace(-1, 1, 500, dtype="float32").reshape(100, 5)
        self.kernel = tf.Variable(kernel, name="kernel")

    @tf.function(input_signature=[tf.TensorSpec([None, 400, 1], tf.float32)])
    def __call__(self, waveforms):
        frames = tf.reshape(waveforms, [-1, 4, 100])
        return {"notes": tf.nn.tanh(frames @ self.kernel)}


def waveform_module(folder) -> str:
    """Batches of 400 samples `[batch, 400, 1]` to notes `[batch, 4, 5]`."""
    module = _Waveforms()
    return _save(module.publish([module.kernel]), folder)


class _Signature(tf.Module):
    def __init__(self):
        super().__init__()
        kernel = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
        self.kernel = tf.Variable(kernel, name="kernel")

    @tf.function(
        input_signature=[tf.TensorSpec([None, 8, 8, 3], name="images")]
    )
    def features(self, images):
        return {"features": tf.reduce_mean(images, [1, 2]) @ self.kernel}


def signature_module(folder) -> str:
    """Images `[batch, 8, 8, 3]` to features 4 wide, by a signature only."""
    module = _Signature()
    saved = tf.Module()
    saved.module = module
    tf.saved_model.save(
        saved, str(folder), signatures={"serving_default": module.features}
    )
    return str(folder)


def tf1_module(folder) -> str:
    """The same in the Hub format of TensorFlow 1."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        images = v1.placeholder(tf.float32, [None, 8, 8, 3], "images")
        kernel = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
        kernel = v1.get_variable("kernel", initializer=kernel)
        features = tf.reduce_mean(images, [1, 2]) @ kernel
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.predict_signature_def(
            {"images": images}, {"default": features}
        )
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, [], signature_def_map={"default": signature}
        )
        builder.save()
    _call_it_hub_format(folder)
    return str(folder)


def tf1_text_module(folder, words) -> str:
    """A row of a table for each word, in the Hub format of TensorFlow 1.

    The words are a file within the module. Row i is 1 at i and 0 elsewhere,
    and the last one is for all other words.
    """
    v1 = tf.compat.v1
    vocabulary = pathlib.Path(f"{folder}_words.txt")
    vocabulary.write_text("\n".join(words))
    with tf.Graph().as_default(), v1.Session() as session:
        texts = v1.placeholder(tf.string, [None], "texts")
        path = tf.constant(str(vocabulary))
        v1.add_to_collection(v1.GraphKeys.ASSET_FILEPATHS, path)
        rows = np.eye(len(words) + 1, dtype="float32")
        rows = v1.get_variable("rows", initializer=rows)
        found = tf.gather(rows, _table(path).lookup(texts))
        session.run([v1.global_variables_initializer()])
        session.run([v1.tables_initializer()])
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session,
            [],
            signature_def_map={
                "default": v1.saved_model.predict_signature_def(
                    {"texts": texts}, {"default": found}
                )
            },
            main_op=v1.tables_initializer(),
            assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
        )
        builder.save()
    vocabulary.unlink()
    _call_it_hub_format(folder)
    return str(folder)


def _call_it_hub_format(folder):
    (pathlib.Path(folder) / "tfhub_module.pb").write_bytes(b"\x08\x03")


class _Writer(tf.saved_model.experimental.TrackableResource):
    """Writes a file when the module that holds it is loaded."""

    def __init__(self, path):
        super().__init__()
        self.path = path
        self.made = self.resource_handle

    def _create_resource(self):
        return tf.raw_ops.MutableHashTableV2(
            key_dtype=tf.string, value_dtype=tf.float32
        )

    def _initialize(self):
        tf.io.write_file(self.path, "written")
        return tf.constant(1.0)


def writing_module(folder, path) -> str:
    """Looks like an image module, and writes a file when it is loaded."""
    module = _Reading(str(path)).publish([])
    module.writer = _Writer(str(path))
    return _save(module, folder)


class _Reading(_Reusable):
    def __init__(self, path):
        super().__init__()
        self.path = path

    @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3], tf.float32)])
    def __call__(self, images):
        length = tf.strings.length(tf.io.read_file(self.path))
        return tf.reduce_mean(images, [1, 2]) + tf.cast(length, tf.float32)


def reading_module(folder, path) -> str:
    """Looks like an image module, and reads a file of this machine."""
    return _save(_Reading(str(path)).publish([]), folder)


def _table(path):
    return tf.lookup.StaticVocabularyTable(
        tf.lookup.TextFileInitializer(
            path,
            tf.string,
            tf.lookup.TextFileIndex.WHOLE_LINE,
            tf.int64,
            tf.lookup.TextFileIndex.LINE_NUMBER,
        ),
        num_oov_buckets=1,
    )


def _save(module, folder) -> str:
    tf.saved_model.save(module, str(folder))
    return str(folder)
