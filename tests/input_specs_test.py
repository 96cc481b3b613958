"""What a model takes, as a value that survives a file."""

import json

from absl.testing import absltest
from absl.testing import parameterized

from tl_keras import input_specs


class InputSpecsTest(parameterized.TestCase):
    @parameterized.parameters(
        (input_specs.ImageSpec(size=8, channels=1), (8, 8, 1), "float32"),
        (input_specs.TextSpec(), (), "string"),
        (
            input_specs.AudioSpec(sample_rate=8000, num_samples=400),
            (400,),
            "float32",
        ),
        (
            input_specs.AudioSpec(
                sample_rate=8000, num_samples=None, channels=2
            ),
            (None, 2),
            "float32",
        ),
    )
    def test_shape_and_dtype_are_those_of_one_example(self, spec, shape, dtype):
        self.assertEqual((spec.shape, spec.dtype), (shape, dtype))
        written = json.dumps(input_specs.as_dict(spec))
        self.assertEqual(input_specs.from_dict(json.loads(written)), spec)

    def test_a_second_has_as_many_samples_as_the_rate_says(self):
        spec = input_specs.AudioSpec(sample_rate=8000, num_samples=12000)
        self.assertEqual(spec.seconds, 1.5)
        self.assertEqual(str(spec), "clips of 1.5 s at 8000 Hz with 1 channel")

    @parameterized.parameters(
        (input_specs.ImageSpec, {"size": 0}, "image_size"),
        (input_specs.ImageSpec, {"size": 8, "channels": 2}, "channels"),
        (
            input_specs.AudioSpec,
            {"sample_rate": 0, "num_samples": 1},
            "sample_rate",
        ),
        (
            input_specs.AudioSpec,
            {"sample_rate": 1, "num_samples": 0},
            "num_samples",
        ),
    )
    def test_refuses_what_is_no_size(self, kind, fields, name):
        with self.assertRaisesRegex(ValueError, name):
            kind(**fields)

    def test_an_unknown_kind_is_refused_with_the_list(self):
        with self.assertRaisesRegex(ValueError, "'txt'.*mean 'text'"):
            input_specs.from_dict({"kind": "txt"})


if __name__ == "__main__":
    absltest.main()
