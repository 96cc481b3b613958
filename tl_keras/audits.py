"""Audits data: finds what is amiss, and writes it down in a folder."""

import dataclasses
import pathlib

from tl_keras import checks
from tl_keras import configs
from tl_keras import encoders
from tl_keras import runs
from tl_keras.auditing import auditor
from tl_keras.auditing import exclude_list
from tl_keras.auditing import files as files_
from tl_keras.auditing import results
from tl_keras.data import data as data_
from tl_keras.data import exclusion
from tl_keras.data import sources
from tl_keras.encoders.encoder import Encoder
from tl_keras.reports import audit_page
from tl_keras.training import log
from tl_keras.training.prefix_settings import PrefixCache


def audit(
    dataset,
    encoder=None,
    *,
    out=None,
    groups=None,
    seed: int = 0,
    prefix_cache: PrefixCache | None = None,
    verbose="auto",
    **options,
) -> results.Audit:
    """Finds duplicates, doubtful labels, leakage and broken files in data.

    - Duplicates within and across parts, equal ones by their content, near
      ones (recompressed, flipped, cropped, recoloured) by perceptual hashes
      and an encoder's features; texts by how they are written.
    - Labels that a classifier on the features and the nearest neighbours
      speak against; how many are errors is told by confident learning, with
      the package cleanlab (extra `audit`) where it is installed.
    - How even classes and parts are; groups that are in several parts.
    - Files that cannot be read, of odd size, grey or transparent ones.

    Args:
        dataset: A name as `tl_keras.data.load` takes it, of which all
            examples are used; or a `Data`, whose files are not opened again.
        encoder: An `Encoder` or a name as `tl_keras.encoders.load` takes it.
            None compares images by "tiny", texts by their letters, and sounds
            by their spectrogram, without which labels are not judged. What
            it gives is kept, and read by later audits and by `fit`.
        out: Folder for `audit.json`, `audit.html` (with pictures) and
            `exclude.txt`, which `tl-keras finetune --exclude` takes. None
            writes nothing.
        groups: Of which person, place or scene each example is, none of which
            should be in several parts: the name of a column of a table; or a
            dict of id to group.
        seed: Of the folds of the classifier.
        prefix_cache: Where features are kept; None is `PrefixCache()`.
        verbose: 0 prints nothing.
        **options: For a name: other fields of `tl_keras.configs.DataConfig`,
            such as `image_size` or `data_dir`.

    Returns:
        An `Audit`.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a name or a column is unknown, or encoder and data do
            not fit.
        OSError: If data, weights or features cannot be read or written.

    Example:
        >>> import tl_keras
        >>> found = tl_keras.audit("digits", verbose=0)
        >>> found.balance.counts["test"]["0"], len(found.files.unreadable)
        (36, 0)

    Reference:
        Barz and Denzler, "Do We Train on Test Data? Purging CIFAR of
        Near-Duplicates", Journal of Imaging 2020,
        https://arxiv.org/abs/1902.00423
    """
    checks.instance(dataset, (str, data_.Data), name="dataset")
    if encoder is not None:
        checks.instance(encoder, (str, Encoder), name="encoder")
    if groups is not None:
        checks.instance(groups, (str, dict), name="groups")
    if isinstance(dataset, data_.Data):
        return _of_data(
            dataset, encoder, out, groups, seed, prefix_cache, verbose, options
        )
    given = encoder if isinstance(encoder, Encoder) else None
    config = configs.RunConfig(
        data=configs.DataConfig(name=dataset, **options),
        encoder=configs.EncoderConfig(
            name=encoder if isinstance(encoder, str) else "tiny"
        ),
        seed=seed,
        prefix_cache=prefix_cache or PrefixCache(),
    )
    return of_config(
        config,
        out=out,
        groups=groups,
        encoder=given,
        without_encoder=encoder is None,
        verbose=verbose,
    )


def of_config(
    config,
    *,
    out=None,
    groups=None,
    encoder=None,
    without_encoder: bool = False,
    verbose="auto",
) -> results.Audit:
    """`audit` of the data that a config names, by the encoder it names.

    Args:
        config: A `RunConfig`; of its data, all are used.
        out, groups, verbose: As of `audit`.
        encoder: An `Encoder` in place of the config's.
        without_encoder: Whether no encoder was asked for.
    """
    say = log.teller(verbose)
    folder = _folder(out)
    data_config = dataclasses.replace(
        config.data, validation_fraction=0.0, train_examples=None
    )
    config = dataclasses.replace(config, data=data_config)
    if isinstance(groups, str):
        groups = sources.column(
            data_config.name,
            groups,
            text_column=data_config.text_column,
            label_column=data_config.label_column,
        )
    refused = {}
    source = runs.read_data(data_config, refused=refused)
    say(f"{source.name}: opening files ...")
    files = dataclasses.replace(files_.check(source), refused=refused)
    source, _ = exclusion.apply(source, files.unreadable)
    encoder, data = _encoder_and_data(config, source, encoder, without_encoder)
    found = auditor.run(
        data,
        encoder,
        files=files,
        groups=groups,
        settings=config.prefix_cache,
        seed=config.seed,
        say=say,
    )
    return _told(found, folder, say)


def _encoder_and_data(config, source, encoder, without_encoder):
    if encoder is not None:
        choices = runs.choices_for(encoder.input_spec)
        data = runs.prepare_data(source, config.data, config.seed, **choices)
        return encoder, data
    if without_encoder and source.kind != "image":
        return None, runs.prepare_data(source, config.data, config.seed)
    return runs.encoder_and_data(config, source)


def _of_data(data, encoder, out, groups, seed, prefix_cache, verbose, options):
    if options or isinstance(groups, str):
        raise ValueError(
            "`dataset` is a Data, which has been read already. Got also: "
            f"{sorted(options) or groups!r}. Leave it out; `groups` may be a "
            "dict of id to group."
        )
    say = log.teller(verbose)
    folder = _folder(out)
    if encoder is None and data.input_spec.kind == "image":
        encoder = "tiny"
    if isinstance(encoder, str):
        encoder = encoders.load(encoder, input_spec=data.input_spec)
    found = auditor.run(
        data,
        encoder,
        groups=groups,
        settings=prefix_cache or PrefixCache(),
        seed=seed,
        say=say,
    )
    return _told(found, folder, say)


def _folder(out):
    """The folder of the report; a file in its place is told at once."""
    if out is None:
        return None
    folder = pathlib.Path(out).expanduser()
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(
            f"`out` is a file. Got: {str(folder)!r}. Expected a folder, or a "
            "path where none is yet."
        )
    return folder


def _told(found, folder, say):
    say(f"\n{found}")
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        results.write(found, folder / "audit.json")
        exclude_list.write(found, folder / "exclude.txt")
        audit_page.write(found, folder / "audit.html")
        say(f"\naudit.html, audit.json and exclude.txt are in {folder}")
    return found
