"""From an exported dataset to a network, its table of figures, and enhanced photographs.

Rooms, each importing only rooms above it in this list; its own first lines say which, and
tests/trainer/test_rooms.py holds it to that:

    preprocessing   what is computed of a picture alike in training, evaluation and use
    networks        the networks by name
    losses          what training minimises
    metrics         how close a picture is to its reference
    classical       the methods without weights
    dataset         an exported dataset: checked, prepared, cut into batches
    training        the loop and what it stands on
    enhancement     a trained network on photographs of any size
    exchange        weights from Caffe, networks to ONNX
    evaluation      one table over networks and classical methods
    commands        the command line
    presets         settings to begin with (TOML)

At the top lies what several rooms share: settings, inputs (what a network sees), checkpoint, exposure_kinds,
exit_codes.
"""
