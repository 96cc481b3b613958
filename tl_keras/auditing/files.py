"""Files that cannot be read, or are not like the others of the data."""

import collections
import concurrent.futures
import dataclasses

import numpy as np
import tensorflow as tf

from tl_keras.data import audio
from tl_keras.data import examples
from tl_keras.data import images
from tl_keras.data import sound_formats
from tl_keras.data import sound_headers

# A side or a length is odd where it is so many times the median, or that
# much smaller; so is a picture so many times as long as it is wide.
_ODD_FACTOR = 4.0
_ODD_ASPECT = 3.0
# What so many have is what the data are made of, and nothing to be told.
_FEW = 0.5


@dataclasses.dataclass(frozen=True)
class FileFindings:
    """What was found on opening each file, or each encoded image or clip.

    Attributes:
        checked: How many were opened; 0 where the data hold arrays or texts.
        unreadable: Id to what the decoder says.
        odd: Id to what is unlike the others: a size or a length, a grey
            image or one with transparency where most are not, another sample
            rate or number of channels.
        forms: What there is, e.g. `"32 x 32, colour"`, to how many have it,
            the most frequent first, at most 20.
        refused: Path to why the file is no example, and has to be removed
            before anything can be trained on the data.
    """

    checked: int
    unreadable: dict[str, str]
    odd: dict[str, str]
    forms: dict[str, int]
    refused: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Form:
    """What an image or a clip is like: lengths to compare, and traits."""

    lengths: tuple[float, ...]
    traits: tuple[str, ...]
    text: str


def check(source) -> FileFindings:
    """Opens and decodes every file of a source, as training will.

    Args:
        source: A `Source`.

    Returns:
        `FileFindings`. What cannot be read is listed, and is no error.

    Raises:
        ImportError: If reading a sound takes a package that is not installed.
    """
    opened = {
        "image": _open_images,
        "audio": _open_clips,
    }
    forms, unreadable = {}, {}
    for split in ("train", "validation", "test"):
        part = getattr(source, split)
        if part is None or not isinstance(part.inputs, examples.Encoded):
            continue
        for id_, form in zip(
            part.ids, opened[source.kind](part.inputs), strict=True
        ):
            if isinstance(form, _Form):
                forms[id_] = form
            else:
                unreadable[id_] = form
    counts = collections.Counter(form.text for form in forms.values())
    return FileFindings(
        checked=len(forms) + len(unreadable),
        unreadable=unreadable,
        odd=_odd(forms),
        forms=dict(counts.most_common(20)),
    )


def _open_images(inputs):
    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
    def look(value):
        content = tf.io.read_file(value) if inputs.are_paths else value
        image = images.decode(content, channels=4)
        colours = image[..., :3]
        return (
            tf.shape(image)[:2],
            tf.reduce_all(colours == colours[..., :1]),
            tf.reduce_any(image[..., 3] < 255),
        )

    def form(value):
        size, is_grey, is_transparent = (x.numpy() for x in look(value))
        height, width = (int(side) for side in size)
        traits = ("grey" if is_grey else "colour",)
        traits += ("with transparency",) if is_transparent else ()
        text = ", ".join((f"{height} x {width}", *traits))
        return _Form((height, width), traits, text)

    return _each(form, inputs.values)


def _open_clips(inputs):
    def form(value, name):
        header = sound_headers.read(value, name)
        content = value
        if inputs.are_paths:
            content = tf.io.read_file(value).numpy()
        if header.is_plain:
            audio.decode(content)
        else:
            sound_formats.decode(content)
        seconds = header.num_samples / header.sample_rate
        traits = (f"{header.sample_rate} Hz", f"{header.channels} channels")
        text = ", ".join((f"{seconds:.1f} s", *traits))
        return _Form((seconds,), traits, text)

    return _each(form, inputs.values, inputs.names)


def _each(form, *columns):
    """The form of each input, or what is said of one that has none."""

    def guarded(*row):
        try:
            return form(*row)
        except ImportError:
            raise
        # What a decoder says of a broken file may be of any class.
        except Exception as error:
            lines = str(error).strip().splitlines()
            return lines[0] if lines else type(error).__name__

    with concurrent.futures.ThreadPoolExecutor() as pool:
        yield from pool.map(guarded, *columns)


def _odd(forms) -> dict[str, str]:
    if not forms:
        return {}
    lengths = np.array([form.lengths for form in forms.values()])
    medians = np.median(lengths, axis=0)
    traits = collections.Counter(t for f in forms.values() for t in f.traits)
    rare = {t for t, count in traits.items() if count < _FEW * len(forms)}
    usual = traits.most_common(1)[0][1] >= _FEW * len(forms)
    found = {}
    for id_, form in forms.items():
        said = list(_odd_lengths(np.array(form.lengths), medians))
        said += [t for t in form.traits if usual and t in rare]
        if said:
            found[id_] = f"{form.text}: {'; '.join(said)}"
    return found


def _odd_lengths(lengths, medians):
    if (lengths > _ODD_FACTOR * medians).any():
        yield "far larger than most"
    elif (lengths * _ODD_FACTOR < medians).any():
        yield "far smaller than most"
    if len(lengths) == 2 and max(lengths) > _ODD_ASPECT * min(lengths):
        yield "far from square"
