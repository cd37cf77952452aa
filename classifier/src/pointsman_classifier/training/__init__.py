"""How the model is made and measured; nothing of it is imported when a prompt is read.

The rooms, in the order of the work: ``prompts`` and ``public`` read what was labelled,
``vocabulary`` and ``minilm`` what others learned; ``teacher`` learns from the labels, ``mixing``
makes texts for it to read aloud, ``student`` learns from the teacher; ``recipe`` runs them all.
``export`` writes what was learned as one ONNX graph, ``calibration`` turns its numbers into
probabilities, ``evaluation`` measures the finished model, ``report`` draws it. ``adaptation``
fits a finished model to somebody's own labels.
"""
