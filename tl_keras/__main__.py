"""`python -m tl_keras` is the command `tl-keras`."""

from tl_keras.cli import main

main.run()
