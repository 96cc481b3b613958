"""Modules inside of `.keras` files: taken out, checked, and refused."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import zipfile
from unittest import mock

import h5py
import keras
import modules_for_tests
import numpy as np
import tensorflow as tf
from absl.testing import absltest
from absl.testing import parameterized

import tl_keras
from tl_keras.encoders import HubEncoder
from tl_keras.encoders import module_archives
from tl_keras.encoders import saved_models

IMAGES = np.random.default_rng(0).uniform(size=(3, 8, 8, 3)).astype("float32")


@keras.saving.register_keras_serializable("tests")
def own_function(values):
    return values + 1.0


@keras.saving.register_keras_serializable("tests")
class HubLike(keras.layers.Dense):
    """A registered layer, as users have them."""

    def __init__(self, units=2, **kwargs):
        super().__init__(units, activation="relu", **kwargs)

    def get_config(self):
        return keras.layers.Layer.get_config(self)


class ModuleArchivesTest(parameterized.TestCase):
    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.create_tempdir().full_path)
        self.enter_context(
            mock.patch.dict(
                os.environ, {"TL_KERAS_CACHE": f"{self.folder}/cache"}
            )
        )

    def saved(self, module, path="m.keras"):
        layer = HubEncoder(module, name="module")
        images = keras.Input((8, 8, 3))
        outputs = keras.layers.Dense(2, name="end")(layer(images))
        self.model = keras.Model(images, outputs)
        for weight in layer.weights[:1]:
            weight.assign(weight + 0.5)
        tl_keras.save(self.model, self.folder / path)
        saved_models._FOLDERS.clear()  # As in a new process.
        return self.folder / path

    def test_the_file_is_enough_when_the_modules_folder_is_gone(self):
        module = modules_for_tests.image_module(self.folder / "module")
        path = self.saved(module)
        expected = self.model(IMAGES).numpy()
        shutil.rmtree(module)
        model = tl_keras.load_model(path)
        np.testing.assert_array_equal(model(IMAGES), expected)
        # And again, from the copy that the first time left.
        saved_models._FOLDERS.clear()
        again = tl_keras.load_model(path)
        np.testing.assert_array_equal(again(IMAGES), expected)
        # It can be saved and copied in turn.
        tl_keras.save(model, self.folder / "second.keras")
        copy = keras.models.clone_model(model)
        copy.set_weights(model.get_weights())
        np.testing.assert_array_equal(copy(IMAGES), expected)

    def test_a_new_process_without_a_cache_to_write_to_reads_it_too(self):
        module = modules_for_tests.text_module(self.folder / "texts")
        texts = keras.Input((), dtype="string")
        model = keras.Model(texts, HubEncoder(module)(texts))
        path = tl_keras.save(model, self.folder / "texts.keras")
        expected = model(tf.constant(["a good film"])).numpy()
        shutil.rmtree(module)
        shutil.rmtree(f"{module}-assets")
        (self.folder / "file").write_text("")
        program = (
            "import sys, tl_keras, tensorflow as tf\n"
            "model = tl_keras.load_model(sys.argv[1])\n"
            "print(model(tf.constant(['a good film'])).numpy().tolist())\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", program, str(path)],
            capture_output=True,
            text=True,
            # Below a file, no folder can be made.
            env=os.environ | {"TL_KERAS_CACHE": f"{self.folder}/file/cache"},
        )
        self.assertEqual(done.returncode, 0, done.stderr[-2000:])
        np.testing.assert_allclose(
            json.loads(done.stdout.splitlines()[-1]), expected, rtol=1e-6
        )

    def test_a_module_that_reads_files_needs_the_users_word(self):
        secret = self.folder / "secret.txt"
        secret.write_text("12345")
        module = modules_for_tests.reading_module(
            self.folder / "reading", secret
        )
        path = self.saved(module)
        with self.assertRaisesRegex(
            ValueError, "'ReadFile'.*trust_modules=True"
        ):
            tl_keras.load_model(path)
        model = tl_keras.load_model(path, trust_modules=True)
        features = model.get_layer("module")(IMAGES)
        np.testing.assert_allclose(
            features, IMAGES.mean((1, 2)) + 5.0, rtol=1e-5
        )

    def test_the_format_of_tensorflow_1_needs_it_too(self):
        module = modules_for_tests.tf1_module(self.folder / "tf1")
        path = self.saved(module)
        with self.assertRaisesRegex(ValueError, "format of TensorFlow 1"):
            tl_keras.load_model(path)
        tl_keras.load_model(path, trust_modules=True)

    @parameterized.parameters(
        modules_for_tests.image_module,
        modules_for_tests.text_module,
        modules_for_tests.preprocessor_module,
        modules_for_tests.token_module,
        modules_for_tests.clip_module,
        modules_for_tests.signature_module,
    )
    def test_ordinary_modules_are_known_to_be_harmless(self, make):
        module = pathlib.Path(make(self.folder / "module"))
        name = saved_models.fingerprint(module)
        saved_models.adopt(module, name, trust=False)

    def test_real_modules_are_known_to_be_harmless(self):
        hub = modules_for_tests.DATA / "hub"
        if not hub.is_dir():
            self.skipTest(f"no real modules in {hub} (TL_KERAS_DATA)")
        for module in sorted(hub.iterdir()):
            name = saved_models.fingerprint(module)
            saved_models.adopt(module, name, trust=False)

    def test_a_table_from_a_file_of_the_machine_is_refused(self):
        module = modules_for_tests.text_module(self.folder / "texts")
        graph = saved_models.graph(pathlib.Path(module))
        [asset] = graph.meta_graphs[0].asset_file_def
        asset.filename = "../../../etc/passwd"
        pathlib.Path(module, "saved_model.pb").write_bytes(
            graph.SerializeToString()
        )
        self._assert_refused(module, "outside of its folder.*passwd")

    def test_a_table_from_a_constant_path_is_refused(self):
        module = modules_for_tests.text_module(self.folder / "texts")
        graph = saved_models.graph(pathlib.Path(module))
        for function in graph.meta_graphs[0].graph_def.library.function:
            for node in function.node_def:
                if node.op == "InitializeTableFromTextFileV2":
                    # What was captured is now made inside.
                    node.input[1] = "Const:output:0"
        pathlib.Path(module, "saved_model.pb").write_bytes(
            graph.SerializeToString()
        )
        self._assert_refused(module, "not its own")

    def test_what_runs_while_loading_is_seen_under_any_name(self):
        written = self.folder / "written"
        module = pathlib.Path(
            modules_for_tests.writing_module(self.folder / "module", written)
        )
        self._assert_refused(module, "WriteFile")
        # Not among the functions that the file lists, and called all the same.
        content = saved_models.graph(module)
        [graph] = content.meta_graphs
        objects = graph.object_graph_def
        [started] = {
            child.node_id
            for node in objects.nodes
            for child in node.children
            if child.local_name == "_initialize"
        }
        [name] = objects.nodes[started].function.concrete_functions
        objects.nodes[
            started
        ].bare_concrete_function.concrete_function_name = name
        del objects.nodes[started].children[:]
        del objects.concrete_functions[name]
        (module / "saved_model.pb").write_bytes(content.SerializeToString())
        self._assert_refused(module, "WriteFile")
        self.assertFalse(written.exists())

    def test_what_is_named_like_a_function_of_the_saver_is_seen(self):
        written = self.folder / "written"

        def implementation(device):
            return tf.function(
                input_signature=[tf.TensorSpec([None, 2])],
                experimental_attributes={
                    "api_implements": "one",
                    "api_preferred_device": device,
                },
            )

        class Two(tf.Module):
            @implementation("GPU")
            def good(self, values):
                return 2 * values

            @implementation("CPU")
            def bad(self, values):
                tf.io.write_file(str(written), "written")
                return 3 * values

            @tf.function(input_signature=[tf.TensorSpec([None, 2])])
            def __call__(self, values):
                return self.good(values)

        module = self.folder / "two"
        tf.saved_model.save(Two(), module)
        content = saved_models.graph(module)
        [graph] = content.meta_graphs
        # TensorFlow may put one implementation in the place of the other.
        [bad] = [
            n for n in graph.object_graph_def.concrete_functions if "_bad_" in n
        ]
        del graph.object_graph_def.concrete_functions[bad]
        for node in graph.object_graph_def.nodes:
            if bad in node.function.concrete_functions:
                node.user_object.identifier = "_generic_user_object"
        for node in graph.graph_def.node:
            if node.name == graph.saver_def.restore_op_name:
                node.attr["other"].func.name = bad
        (module / "saved_model.pb").write_bytes(content.SerializeToString())
        self._assert_refused(module, "WriteFile")

    @parameterized.parameters(
        ("registered", "of kind 'asset' by the class 'tf.TrackableConstant'"),
        ("path", "sets '_path' of an object of kind 'asset'"),
        ("captured", "sets '_captured_inputs' of an object of kind 'bare_"),
        ("bound", "not its own"),
        ("made", "not its own"),
        ("type", "values of a class that it names"),
    )
    def test_objects_are_as_tensorflow_saves_them(self, change, why):
        module = pathlib.Path(
            modules_for_tests.text_module(self.folder / "texts")
        )
        content = saved_models.graph(module)
        [graph] = content.meta_graphs
        objects = graph.object_graph_def
        kinds = [node.WhichOneof("kind") for node in objects.nodes]
        asset = objects.nodes[kinds.index("asset")]
        bare = objects.nodes[kinds.index("bare_concrete_function")]
        if change == "registered":
            asset.registered_name = "tf.TrackableConstant"
        elif change == "path":
            asset.children.add(local_name="_path", node_id=0)
        elif change == "made":
            # A table that stands for several tensors moves those behind it.
            resource = objects.nodes[kinds.index("resource")]
            [maker] = {
                child.node_id
                for child in resource.children
                if child.local_name == "_create_resource"
            }
            [name] = objects.nodes[maker].function.concrete_functions
            output = objects.concrete_functions[name].output_signature
            dtype = output.tensor_spec_value.dtype
            for _ in range(2):
                output.tuple_value.values.add().tensor_spec_value.dtype = dtype
        elif change == "type":
            for concrete in objects.concrete_functions.values():
                spec = concrete.output_signature.type_spec_value
                spec.type_spec_class = spec.REGISTERED_TYPE_SPEC
        elif change == "captured":
            bare.children.add(local_name="_captured_inputs", node_id=0)
        else:
            place = kinds.index("asset")
            for concrete in objects.concrete_functions.values():
                if place in concrete.bound_inputs:
                    # More than it takes, which TensorFlow pairs from the front.
                    bound = [0, *concrete.bound_inputs]
                    concrete.bound_inputs[:] = bound
        (module / "saved_model.pb").write_bytes(content.SerializeToString())
        self._assert_refused(module, why)

    @parameterized.parameters("keras", "h5")
    def test_a_class_is_no_function_of_a_lambda_layer(self, form):
        values = keras.Input((2,))
        layer = keras.layers.Lambda(keras.ops.relu, output_shape=(2,))
        model = keras.Model(values, keras.layers.Dense(2)(layer(values)))
        path = self.folder / f"m.{form}"
        model.save(path)
        config = json.loads(model.to_json())
        function = config["config"]["layers"][1]["config"]["function"]
        function["config"] = "tl_keras>HubEncoder"
        if form == "h5":
            with h5py.File(path, "a") as file:
                file.attrs["model_config"] = json.dumps(config)
        else:
            path = self._rewritten(
                path,
                lambda name, content: (
                    json.dumps(config).encode()
                    if name == "config.json"
                    else content
                ),
            )
        with self.assertRaisesRegex(ValueError, "calls .*HubEncoder"):
            tl_keras.encoders.load(f"file:{path}", preprocessing="none")
        if form == "keras":
            with self.assertRaisesRegex(ValueError, "calls .*HubEncoder"):
                tl_keras.load_model(path)

    @parameterized.parameters(
        ("tl_keras>HubEncoder",),
        (
            {
                "class_name": "function",
                "config": "plot_image_gallery",
                "module": "keras.visualization",
            },
        ),
        (
            {
                "class_name": "plot_image_gallery",
                "config": {},
                "module": "keras.visualization",
                "registered_name": None,
            },
        ),
        (
            {
                "class_name": "function",
                "config": "plot_model",
                "module": "keras",
            },
        ),
    )
    def test_a_function_of_a_layer_is_one_of_models(self, function):
        config = {"layers": [{"config": {"function": function}}]}
        with self.assertRaisesRegex(ValueError, "could so load modules"):
            module_archives.check_config(config, "m.keras")

    def test_ordinary_configs_pass(self):
        values = keras.Input((2,))
        for function in (keras.ops.relu, keras.activations.gelu, own_function):
            layer = keras.layers.Lambda(function, output_shape=(2,))
            model = keras.Model(values, HubLike()(layer(values)))
            model.compile("adam", "mse", metrics=["mae"])
            path = self.folder / "m.keras"
            model.save(path)
            tl_keras.load_model(path)

    def test_a_table_is_asked_for_its_file_whoever_fills_it(self):
        words = self.folder / "words.txt"
        words.write_text("a\nb\n")

        class Filling(tf.Module):
            def __init__(self):
                super().__init__()
                self.asset = tf.saved_model.Asset(str(words))
                self.fill = tf.function(self._fill, input_signature=[])

            def _fill(self):
                table = tf.raw_ops.AnonymousHashTable(
                    key_dtype=tf.int64, value_dtype=tf.string
                )
                tf.raw_ops.InitializeTableFromTextFileV2(
                    table_handle=table,
                    filename=self.asset.asset_path,
                    key_index=-1,
                    value_index=-2,
                    vocab_size=-1,
                    delimiter="\t",
                )
                return tf.raw_ops.LookupTableExportV2(
                    table_handle=table, Tkeys=tf.int64, Tvalues=tf.string
                )[1]

            @tf.function(input_signature=[tf.TensorSpec([None, 2])])
            def __call__(self, values):
                length = tf.strings.length(self.fill()[0])
                return values + tf.cast(length, tf.float32)

        module = self.folder / "filling"
        tf.saved_model.save(Filling(), module)
        saved_models.adopt(
            module, saved_models.fingerprint(module), trust=False
        )
        # The same function, called with a path of the machine's.
        content = saved_models.graph(module)
        filled = 0
        for function in content.meta_graphs[0].graph_def.library.function:
            calls = [n for n in function.node_def if n.attr["f"].func.name]
            for call in calls:
                path = function.node_def.add(name="path", op="Const")
                path.attr["dtype"].type = tf.string.as_datatype_enum
                path.attr["value"].tensor.CopyFrom(
                    tf.make_tensor_proto("/etc/hostname")
                )
                call.input[0] = "path:output:0"
                filled += 1
        self.assertGreater(filled, 0)
        (module / "saved_model.pb").write_bytes(content.SerializeToString())
        self._assert_refused(module, "not its own")

    def test_a_module_that_was_saved_again_is_still_harmless(self):
        first = modules_for_tests.text_module(self.folder / "texts")
        second = self.folder / "again"
        tf.saved_model.save(tf.saved_model.load(first), second)
        saved_models.adopt(
            second, saved_models.fingerprint(second), trust=False
        )

    def test_what_tensorflow_does_not_read_is_no_part_of_a_module(self):
        module = pathlib.Path(
            modules_for_tests.image_module(self.folder / "module")
        )
        before = saved_models.fingerprint(module)
        (module / "README.md").write_text("About this module.")
        self.assertEqual(saved_models.fingerprint(module), before)
        path = self.saved(str(module))
        with zipfile.ZipFile(path) as archive:
            self.assertFalse([n for n in archive.namelist() if "README" in n])
        tl_keras.load_model(path)

    def test_weights_behind_a_link_belong_to_the_module(self):
        module = pathlib.Path(
            modules_for_tests.image_module(self.folder / "module")
        )
        before = saved_models.fingerprint(module)
        (module / "variables").rename(self.folder / "elsewhere")
        (module / "variables").symlink_to(self.folder / "elsewhere")
        self.assertEqual(saved_models.fingerprint(module), before)
        path = self.saved(str(module))
        shutil.rmtree(self.folder / "elsewhere")
        model = tl_keras.load_model(path)
        np.testing.assert_array_equal(model(IMAGES), self.model(IMAGES))

    def test_an_asset_may_be_called_like_the_files_own_entry(self):
        path = self.folder / "hub_encoder.json"
        path.write_text("[]")

        class Counting(tf.Module):
            def __init__(self):
                super().__init__()
                self.asset = tf.saved_model.Asset(str(path))

            @tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 3])])
            def __call__(self, images):
                return tf.reduce_mean(images, [1, 2])

        tf.saved_model.save(Counting(), self.folder / "counting")
        tl_keras.load_model(self.saved(str(self.folder / "counting")))

    def test_a_module_that_changed_is_told_when_saving(self):
        module = pathlib.Path(
            modules_for_tests.image_module(self.folder / "module")
        )
        images = keras.Input((8, 8, 3))
        model = keras.Model(images, HubEncoder(str(module))(images))
        (module / "assets" / "new.txt").write_text("new")
        with self.assertRaisesRegex(ValueError, "has changed since"):
            tl_keras.save(model, self.folder / "m.keras")
        shutil.rmtree(module)
        with self.assertRaisesRegex(ValueError, "folder of.*is gone"):
            tl_keras.save(model, self.folder / "m.keras")

    def test_what_is_kept_is_left_to_who_reads_it(self):
        module = pathlib.Path(
            modules_for_tests.image_module(self.folder / "module")
        )
        name = saved_models.fingerprint(module)
        saved_models.adopt(module, name, trust=False)
        kept = saved_models.folder_of(name)
        [variables] = (kept / "variables").glob("*.data*")
        before = variables.stat().st_ino
        saved_models.adopt(module, name, trust=False)
        self.assertEqual(variables.stat().st_ino, before)
        # A damaged one is made anew, and nothing is left beside it.
        variables.write_bytes(b"")
        saved_models.adopt(module, name, trust=False)
        self.assertEqual(saved_models.fingerprint(kept), name)
        self.assertLen(list(kept.parent.iterdir()), 1)

    def test_a_damaged_archive_is_told(self):
        path = self.saved(
            modules_for_tests.image_module(self.folder / "module")
        )
        content = bytearray(path.read_bytes())
        for place in range(0, len(content) - 4000, 50):
            content[place] ^= 0xFF
        path.write_bytes(content)
        with self.assertRaisesRegex(ValueError, "damaged"):
            tl_keras.load_model(path)

    def test_another_form_of_the_graph_beside_it_is_refused(self):
        # TensorFlow would read that one first.
        module = modules_for_tests.image_module(self.folder / "module")
        pathlib.Path(module, "saved_model.cpb").write_bytes(b"")
        self._assert_refused(module, "saved_model.cpb")

    def _assert_refused(self, module, why):
        module = pathlib.Path(module)
        name = saved_models.fingerprint(module)
        with self.assertRaisesRegex(ValueError, why):
            saved_models.adopt(module, name, trust=False)

    def test_a_changed_module_is_refused(self):
        path = self.saved(
            modules_for_tests.image_module(self.folder / "module")
        )
        changed = self._rewritten(
            path,
            lambda name, content: (
                content + b" " if name.endswith("variables.index") else content
            ),
        )
        with self.assertRaisesRegex(ValueError, "not the one that the file"):
            tl_keras.load_model(changed)

    def test_what_is_no_fingerprint_is_refused(self):
        path = self.saved(
            modules_for_tests.image_module(self.folder / "module")
        )
        changed = self._rewritten(
            path,
            lambda name, content: (
                b'{"module": "/"}'
                if name.endswith("hub_encoder.json")
                else content
            ),
        )
        with self.assertRaisesRegex(ValueError, "no fingerprint"):
            tl_keras.load_model(changed)

    def test_a_module_that_was_trusted_once_is_not_trusted_for_ever(self):
        module = modules_for_tests.reading_module(
            self.folder / "reading", __file__
        )
        path = self.saved(module)
        tl_keras.load_model(path, trust_modules=True)
        saved_models._FOLDERS.clear()
        with self.assertRaisesRegex(ValueError, "'ReadFile'"):
            tl_keras.load_model(path)

    def test_a_copy_of_a_module_that_has_changed_is_refused(self):
        module = modules_for_tests.image_module(self.folder / "module")
        images = keras.Input((8, 8, 3))
        model = keras.Model(images, HubEncoder(module)(images))
        pathlib.Path(module, "assets", "new.txt").write_text("new")
        with self.assertRaisesRegex(ValueError, "has changed"):
            keras.models.clone_model(model)

    def test_a_missing_module_is_told(self):
        path = self.saved(
            modules_for_tests.image_module(self.folder / "module")
        )
        changed = self._rewritten(
            path,
            lambda name, content: (
                None if name.endswith("saved_model.pb") else content
            ),
        )
        with self.assertRaisesRegex(ValueError, "damaged.*does not carry"):
            tl_keras.load_model(changed)

    def test_a_path_that_leads_out_is_refused(self):
        path = self.saved(
            modules_for_tests.image_module(self.folder / "module")
        )
        with zipfile.ZipFile(path, "a") as archive:
            [entry] = [
                name
                for name in archive.namelist()
                if name.endswith("hub_encoder.json")
            ]
            beside = entry.removesuffix("hub_encoder.json")
            archive.writestr(f"{beside}saved_model/../../../../escaped", "evil")
        with self.assertRaisesRegex(ValueError, "leads out of it.*escaped"):
            tl_keras.load_model(path)

    def _rewritten(self, path, change):
        target = path.with_name("changed.keras")
        with (
            zipfile.ZipFile(path) as old,
            zipfile.ZipFile(target, "w") as new,
        ):
            for name in old.namelist():
                content = change(name, old.read(name))
                if content is not None:
                    new.writestr(name, content)
        return target


if __name__ == "__main__":
    absltest.main()
