"""
=========================================
Cells, graphs and functions to search for
=========================================

What a row of ``X`` means is up to a motif space. Each space reads a notation of its own,
recognises what is the same network, and builds it at any width; which dishes measure it
best is its recommendation. Here are four families, drawn as in Figure 5 of the paper.
"""

# %%
# Cells are written as they are published.
from pathlib import Path

import matplotlib.pyplot as plt

from sk_petridish import make_surrogate
from sk_petridish.inspection import MotifDisplay
from sk_petridish.motifs import (
    PUBLISHED_CELLS,
    ActivationFunction,
    ConvCell,
    RecurrentCell,
    RecurrentGraph,
)

gated_recurrent_unit = {
    "reset": {"op": "linear", "input": ["x", "h_prev_0"]},
    "reset_gate": {"op": "activation_sigm", "input": ["reset"]},
    "update": {"op": "linear", "input": ["x", "h_prev_0"]},
    "update_gate": {"op": "activation_sigm", "input": ["update"]},
    "kept": {"op": "elementwise_prod", "input": ["reset_gate", "h_prev_0"]},
    "new": {"op": "linear", "input": ["x", "kept"]},
    "candidate": {"op": "activation_tanh", "input": ["new"]},
    "h_new_0": {"op": "blend", "input": ["update_gate", "h_prev_0", "candidate"]},
}
families = {
    "RecurrentCell: NAO's": (RecurrentCell(), PUBLISHED_CELLS["NAO"]),
    "RecurrentGraph: a gated recurrent unit": (RecurrentGraph(), gated_recurrent_unit),
    "ConvCell": (
        ConvCell(),
        "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|avg_pool_3x3~2|",
    ),
    "ActivationFunction: x * tanh(softplus(x))": (ActivationFunction(), "x * tanh(softplus(x))"),
}
figure, axes = plt.subplots(2, 2, figsize=(12, 10), layout="constrained")
for ax, (title, (space, motif)) in zip(axes.flat, families.items(), strict=True):
    MotifDisplay.from_motif(space, space.encode([motif])[0], ax=ax)
    ax.set_title(title)
Path("figures").mkdir(exist_ok=True)
figure.savefig("figures/motifs.png", dpi=80)

# %%
# The same rows build networks of full width, to be trained for ground truth.
for title, (space, motif) in families.items():
    network = space.blueprint(space.encode([motif])[0]).build(100, 100, 10)
    n_weights = sum(weight.numel() for weight in network.parameters())
    print(f"{title}: {n_weights:,} weights at width 100")

# %%
# Two rows that are the same network have one key, and the same prediction.
activations = ActivationFunction()
one, same = activations.canonical_keys(activations.encode(["swish", "sigmoid(x) * x"]))
print("one network:", one == same)

# %%
# The best-known surrogate of a family is an ordinary regressor: ``fit(X, y)`` with tens of
# trained networks, and ``predict``.
surrogate = make_surrogate(ConvCell(), random_state=0)
print("blocks:", ", ".join(name for name, _ in surrogate.banks))
