"""What the Python peers compute. usage: peers.py write FOLDER, before compare.ts; peers.py check FOLDER, after it."""

import pathlib
import sys

import transformers

import lora
import models
import nf4
import text

command, folder = sys.argv[1], pathlib.Path(sys.argv[2])
transformers.utils.logging.disable_progress_bar()
transformers.utils.logging.set_verbosity_error()
if command == "write":
    models.main(folder)
    text.main(folder)
    lora.train(folder)
    nf4.main(folder)
elif not lora.check(folder):
    sys.exit(1)
