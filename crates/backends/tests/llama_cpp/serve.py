"""Makes the tiny model, serves it with the HTTP server of llama.cpp, and says where. Ends when its standard input does.

    serve.py [--deaf] [--slots N] [--key KEY]
"""

import argparse
import pathlib
import sys
import tempfile

import xllamacpp

import model

arguments = argparse.ArgumentParser()
arguments.add_argument("--deaf", action="store_true", help="without its ear")
arguments.add_argument("--slots", type=int, default=2, help="how many runs there are at a time")
arguments.add_argument("--key", help="the key that it wants")
arguments = arguments.parse_args()

with tempfile.TemporaryDirectory() as directory:
    directory = pathlib.Path(directory)
    model.make(directory)
    params = xllamacpp.CommonParams()
    params.model.path = str(directory / "model.gguf")
    if not arguments.deaf:
        params.mmproj.path = str(directory / "mmproj.gguf")
    if arguments.key:
        params.api_keys = [arguments.key]
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_parallel = arguments.slots
    params.n_ctx = model.CONTEXT * arguments.slots
    # As much as the model was made for, whatever memory there is.
    params.fit_params = False
    params.cpuparams.n_threads = 1
    params.cpuparams_batch.n_threads = 1
    params.use_jinja = True
    params.endpoint_slots = True
    params.endpoint_metrics = True
    params.ui = False
    # Errors alone.
    params.verbosity = 1
    server = xllamacpp.Server(params)

# It has read its files, which are gone now, however it ends.
print(server.listening_address, flush=True)
sys.stdin.read()
