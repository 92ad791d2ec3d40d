"""Reads documents as python-dotenv reads them. Input and output are those of main.go."""

import io
import json
import sys

import dotenv


def read(document):
    # A line that python-dotenv does not understand has the value None.
    return {name: value for name, value in dotenv.dotenv_values(stream=io.StringIO(document, newline="")).items() if value is not None}


json.dump([read(document) for document in json.load(sys.stdin)], sys.stdout)
