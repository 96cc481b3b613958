"""Lists what the prefix cache keeps on disk, or clears it.

    tl-keras cache
    tl-keras cache --clear

What is frozen in front of a model's trained layers is computed once for each
example, and kept for later runs. What was not used for longest goes first
where it gets too much; see `prefix_cache.disk_gb` of the config.
"""

from absl import flags

from tl_keras.cli import common

flags.declare_key_flag("cache_dir")
flags.declare_key_flag("debug")

CLEAR = flags.DEFINE_bool("clear", False, "Remove all that no process uses.")


def main(argv):
    """Prints a line for each store, and how much there is in all."""
    common.no_arguments(argv)
    # NumPy takes its time to import, and a wrong flag needs none of it.
    from tl_keras.training import feature_store
    from tl_keras.training import prefix_settings

    folder = prefix_settings.PrefixCache(folder=common.CACHE_DIR.value).path
    print(feature_store.listing(folder, clear=CLEAR.value))
