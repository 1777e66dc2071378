"""Static attributes of nodes, inferred widths and resolutions, statistics of batches."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from small_dishes import make_settings

from sk_petridish.blueprints import (
    Blueprint,
    Masks,
    Node,
    Operation,
    SuperNetwork,
    Width,
    Widths,
    canonical,
    data_kind,
    get_operation,
    temporary_operations,
)
from sk_petridish.blueprints._recurrence import Call, compile_stages, fuse_products
from sk_petridish.dish import DishBatch, TorchEngine, draw_dish, zero_cost
from sk_petridish.dish._inner_loss import align_labels
from sk_petridish.dish.engines.fused import FusedNetwork, _program
from sk_petridish.motifs import ConvCell
from sk_petridish.tasks import GaussianTask, MemoryTask, SampleSpec, SampleTask, TeacherTask

INPUT, READOUT = Node("input"), Node("linear", (1,), units="n_outputs")
CONVOLUTIONS = [(3, 1, 1), (5, 1, 1), (3, 2, 1), (3, 1, 2), (1, 2, 1), (5, 3, 2)]


def images(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def network(*nodes):
    """Nodes behind the input, with a readout of the last."""
    return Blueprint((INPUT, *nodes, Node("linear", (len(nodes),), units="n_outputs")))


def before_readout(blueprint, x, **widths):
    module = blueprint.build(x.shape[-1], widths.get("n_hidden", 4), 2).double()
    (read,), _ = module.unroll(x)
    return module, read.permute(0, 3, 1, 2)


@pytest.mark.parametrize("attributes", CONVOLUTIONS)
def test_a_convolution_is_that_of_torch(attributes):
    kernel_size, stride, dilation = attributes
    x = images(2, 7, 8, 3)
    blueprint = network(Node("conv", (0,), attributes=attributes, units="n_hidden"))
    module, computed = before_readout(blueprint, x)
    kernels = module.weights["1_weight"].view(kernel_size, kernel_size, 3, 4).permute(3, 2, 0, 1)
    expected = F.conv2d(
        x.permute(0, 3, 1, 2),
        kernels,
        stride=stride,
        dilation=dilation,
        padding=dilation * (kernel_size - 1) // 2,
    )
    torch.testing.assert_close(computed, expected)
    assert blueprint.shapes((7, 8))[1] == expected.shape[2:]
    assert module.weights["1_weight"].abs().max() <= (3 * kernel_size**2) ** -0.5


@pytest.mark.parametrize("attributes", CONVOLUTIONS)
def test_a_depthwise_convolution_is_that_of_torch_and_starts_by_its_own_fan_in(attributes):
    kernel_size, stride, dilation = attributes
    x = images(2, 7, 8, 3)
    wide = Node("linear", (0,), units="n_hidden", factor=2)
    node = Node("depthwise_conv", (1,), attributes=attributes, units="n_hidden", factor=2)
    blueprint = network(wide, node)
    module, computed = before_readout(blueprint, x)
    weights = module.weights
    kernels = weights["2_weight"].view(kernel_size, kernel_size, 8).permute(2, 0, 1)[:, None]
    expected = F.conv2d(
        (x @ weights["1_weight"] + weights["1_bias"]).permute(0, 3, 1, 2),
        kernels,
        stride=stride,
        dilation=dilation,
        padding=dilation * (kernel_size - 1) // 2,
        groups=8,
    )
    torch.testing.assert_close(computed, expected)
    # One of 8 channels: the width of what it reads does not matter.
    bound = 1 / kernel_size
    assert 0.5 * bound < weights["2_weight"].abs().max() <= bound


@pytest.mark.parametrize(("kernel_size", "stride"), [(3, 1), (3, 2), (5, 3), (1, 2)])
def test_pooling_is_that_of_torch(kernel_size, stride):
    x = images(2, 7, 8, 3)
    channels_first, padding = x.permute(0, 3, 1, 2), kernel_size // 2
    for name, expected in {
        "max_pool": F.max_pool2d(channels_first, kernel_size, stride, padding),
        "average_pool": F.avg_pool2d(
            channels_first, kernel_size, stride, padding, count_include_pad=False
        ),
    }.items():
        blueprint = network(Node(name, (0,), attributes=(kernel_size, stride)))
        torch.testing.assert_close(before_readout(blueprint, x)[1], expected)
        assert blueprint.shapes((7, 8))[1] == expected.shape[2:]


@pytest.mark.parametrize("name", ["conv", "depthwise_conv", "average_pool", "max_pool"])
def test_operations_on_images_work_behind_any_batch_axes(name):
    operation = get_operation(name)
    attributes = operation.named(operation.completed((3, 2)))
    x = images(2, 3, 5, 6, 7, 4)
    weights = [
        images(2, 3, *shape, seed=1)
        for shape in operation.weight_shapes(4, 4, **attributes).values()
    ]
    batched = operation.function(x, *weights, **attributes)
    alone = operation.function(x[1, 2], *(weight[1, 2] for weight in weights), **attributes)
    torch.testing.assert_close(batched[1, 2], alone)


def reduced(*, late):
    """A network that halves the resolution by its first or by its second convolution."""
    strides = (1, 2) if late else (2, 1)
    return network(
        Node("conv", (0,), attributes=(3, strides[0]), units="n_hidden"),
        Node("relu", (1,)),
        Node("conv", (2,), attributes=(3, strides[1]), units="n_hidden", factor=2),
        Node("batch_norm", (3,)),
        Node("sigmoid", (4,), (1.5,)),
    )


def make_draw():
    drawn = {}

    def draw(key, role, shape, fan_in):
        name = (key, role, shape)
        if name not in drawn:
            drawn[name] = images(1, *shape, seed=len(drawn)) / fan_in**0.5
        return drawn[name]

    return draw


def test_maps_of_two_sizes_at_one_level_are_computed_as_alone():
    motifs = [reduced(late=True), reduced(late=False), reduced(late=True)]
    assert [motif.shapes((8, 8))[2] for motif in motifs] == [(8, 8), (4, 4), (8, 8)]
    widths, x, draw = Widths(3, 4, 2), images(1, 1, 5, 8, 8, 3), make_draw()
    together = SuperNetwork(motifs, widths, (8, 8))
    theta = together.initial_weights(draw)
    outputs = together.forward(theta, x.expand(1, 3, -1, -1, -1, -1))
    assert together.output_shape == (4, 4) == outputs.shape[3:-1]
    for index, motif in enumerate(motifs):
        alone = SuperNetwork([motif], widths, (8, 8))
        expected = alone.forward(alone.initial_weights(draw), x)
        torch.testing.assert_close(outputs[:, index], expected[:, 0])


def test_the_super_network_runs_reductions_as_modules_do():
    motif = reduced(late=True)
    module = motif.build(3, 4, 2).double()
    alone = SuperNetwork([motif], Widths(3, 4, 2), (8, 8))
    theta = alone.initial_weights(
        lambda key, role, shape, fan_in: module.weights[f"{key}_{role}"].detach()[None]
    )
    x = images(1, 1, 5, 8, 8, 3)
    torch.testing.assert_close(alone.forward(theta, x)[0, 0], module(x[0, 0]))


def test_defaults_make_equal_blueprints():
    short, long = (
        network(Node("conv", (0,), attributes=attributes, units="n_hidden"))
        for attributes in ((3,), (3, 1, 1))
    )
    assert short == long
    assert hash(short) == hash(long)
    assert short.nodes[1].attributes == (3, 1, 1)


def test_attributes_and_factors_are_part_of_the_canonical_form():
    variants = [
        Node("conv", (0,), attributes=(3,), units="n_hidden"),
        Node("conv", (0,), attributes=(3, 2), units="n_hidden"),
        Node("conv", (0,), attributes=(3, 1, 2), units="n_hidden"),
        Node("conv", (0,), attributes=(3,), units="n_hidden", factor=2),
    ]
    forms = [canonical(network(node)) for node in variants]
    assert len(set(forms)) == 4
    assert len({form.weight_keys()[1] for form in forms}) == 4
    pools = [Node("max_pool", (0,), attributes=(k,)) for k in (3, 5, 3)]
    joined = canonical(network(*pools, Node("sum", (1, 2, 3))))
    assert [node.operation for node in joined.nodes].count("max_pool") == 2


def test_names_of_weights_are_as_before_without_attributes_and_factors():
    nodes = canonical(network(Node("conv_3x3", (0,), units="n_hidden"))).nodes
    assert [node.weights_name for node in nodes[1:]] == [
        "conv_3x3 n_hidden 0",
        "linear n_outputs 0",
    ]


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ((Node("conv", (0,), units="n_hidden"),), r"takes the attributes \('kernel_size'"),
        ((Node("tanh", (0,), attributes=(3,)),), r"takes the attributes \(\), got \(3,\)"),
        ((Node("max_pool", (0,), attributes=(3, 0)),), "no positive integers"),
        ((Node("max_pool", (0,), attributes=(3, 1.5)),), "no positive integers"),
        ((Node("linear", (0,), units="n_hidden", factor=0),), "no positive integer"),
        ((Node("tanh", (0,), factor=2),), "only n_hidden has a factor"),
        (
            (
                Node("linear", (0,), units="n_hidden"),
                Node("linear", (0,), units="n_hidden", factor=2),
                Node("sum", (1, 2)),
            ),
            r"different widths: \['2 \* n_hidden', 'n_hidden'\]",
        ),
        (
            (
                Node("linear", (0,), units="n_hidden", factor=3),
                Node("depthwise_conv", (1,), attributes=(3,), units="n_hidden"),
            ),
            "must be as wide",
        ),
        ((Node("carried", (1,), (), "n_hidden", None, (1,)),), "has no parameters"),
    ],
)
def test_attributes_and_widths_that_make_no_graph_are_refused(nodes, reason):
    with pytest.raises(ValueError, match=reason):
        network(*nodes)


def test_shapes_that_disagree_are_refused():
    blueprint = network(
        Node("max_pool", (0,), attributes=(3, 2)),
        Node("identity", (0,)),
        Node("sum", (1, 2)),
    )
    with pytest.raises(ValueError, match=r"different shapes: \[\(4, 4\), \(8, 8\)\]"):
        blueprint.shapes((8, 8))
    with pytest.raises(ValueError, match="different shapes"):
        blueprint.build(3, 2, 2)(torch.zeros(1, 8, 8, 3))
    with pytest.raises(ValueError, match="outputs have different shapes"):
        SuperNetwork([reduced(late=True), ConvCell().blueprint([1] * 6)], Widths(3, 2, 2), (8, 8))
    one = SuperNetwork([reduced(late=True)], Widths(3, 2, 2), (8, 8))
    with pytest.raises(ValueError, match=r"built for samples of the shape \(8, 8\), got \(4, 8\)"):
        one.forward(one.initial_weights(make_draw()), torch.zeros(1, 1, 2, 4, 8, 3).double())
    with pytest.raises(ValueError, match="kernel_size must be odd"):
        network(Node("max_pool", (0,), attributes=(2,))).shapes((8, 8))
    with pytest.raises(ValueError, match="got the shape"):
        data_kind((2, 3, 4))


def test_a_width_is_a_multiple_of_one_of_three():
    assert str(Width("n_hidden")) == "n_hidden"
    assert Width("n_hidden", 3).units(Widths(3, 4, 2)) == 12
    widths = [str(width) for width in reduced(late=True).widths()]
    assert widths == ["n_inputs", *2 * ["n_hidden"], *3 * ["2 * n_hidden"], "n_outputs"]


def test_both_programs_ask_the_operation_for_its_fan_in(monkeypatch):
    linear = get_operation("linear")
    scattered = Operation(
        "test_scattered",
        linear.function,
        weight_shapes=linear.weight_shapes,
        fan_in=lambda n_in: 9 * n_in,
    )
    monkeypatch.setitem(_program._WRITERS, "test_scattered", _program._WRITERS["linear"])
    with temporary_operations(scattered):
        motif = network(Node("test_scattered", (0,), units="n_hidden"))
        asked = {"torch": set(), "numba": set()}
        for name, built in {
            "torch": SuperNetwork([motif], Widths(3, 4, 2)),
            "numba": FusedNetwork([motif], Widths(3, 4, 2), (), np.dtype(np.float64)),
        }.items():

            def draw(key, role, shape, fan_in, name=name):
                asked[name].add((key, role, fan_in))
                return torch.zeros(1, *shape)

            built.initial_weights(draw)
    assert asked["torch"] == asked["numba"]
    assert (1, "weight", 27) in asked["numba"]


# Statistics of batches


def test_predictions_of_a_network_in_evaluation_do_not_depend_on_the_batch():
    blueprint = ConvCell().blueprint([3] * 6)
    module, x = blueprint.build(3, 4, 2).double(), images(6, 5, 5, 3)
    for _ in range(3):
        module(x)
    module.eval()
    torch.testing.assert_close(module(x)[:2], module(x[:2]), rtol=1e-12, atol=1e-12)
    module.train()
    assert not torch.allclose(module(x)[:2], module(x[:2]))


def test_running_statistics_are_those_of_torch():
    blueprint = network(Node("batch_norm", (0,)))
    module = blueprint.build(3, 4, 2).double()
    reference = torch.nn.BatchNorm2d(3, affine=False, dtype=torch.float64)
    for seed in range(4):
        x = 3 * images(2, 4, 5, 3, seed=seed) + 1
        (read,), _ = module.unroll(x)
        torch.testing.assert_close(read.permute(0, 3, 1, 2), reference(x.permute(0, 3, 1, 2)))
    kept = module.state_dict()
    torch.testing.assert_close(kept["statistics.1_running_mean"], reference.running_mean)
    torch.testing.assert_close(kept["statistics.1_running_var"], reference.running_var)
    other = blueprint.build(3, 4, 2).double()
    other.load_state_dict(kept)
    (read,), _ = other.eval().unroll(x)
    expected = reference.eval()(x.permute(0, 3, 1, 2))
    torch.testing.assert_close(read.permute(0, 3, 1, 2), expected)
    torch.testing.assert_close(other.state_dict(), kept)


# Order of computation


def test_products_with_one_factor_are_fused():
    product = Node("project", (0,), units="n_hidden")
    other = Node("project", (2,), units="n_hidden")
    readout = Node("project", (0,), units="n_outputs")
    nodes = (INPUT, product, product, other, Node("linear", (0,), units="n_hidden"), readout)
    assert fuse_products(nodes, range(1, 6)) == [(1, 2), (3,), (4,), (5,)]
    assert fuse_products(nodes, [2, 3]) == [(2,), (3,)]


def test_a_recurrence_is_computed_before_within_and_after():
    blueprint = Blueprint(
        (
            INPUT,
            Node("carried", (6,), units="n_hidden"),
            Node("project", (0,), units="n_hidden"),
            Node("project", (0,), units="n_hidden"),
            Node("project", (1,), units="n_hidden"),
            Node("sum", (2, 4)),
            Node("tanh", (5,)),
            Node("product", (3, 6)),
            Node("linear", (7,), units="n_outputs"),
        )
    )
    before, within, after = compile_stages(blueprint.nodes)
    assert before == (Call((2, 3), (0,), "inputs"),)
    assert within == (
        Call((4,), (1,), "hidden"),
        Call((5,), (2, 4), None),
        Call((6,), (5,), None),
    )
    assert after == (Call((7,), (3, 6), None),)


# Tasks and dishes behind a reduction


@pytest.mark.parametrize(
    "task", [GaussianTask(dense=True), TeacherTask(dense=True), MemoryTask()], ids=repr
)
def test_dense_labels_are_for_the_positions_of_the_output(task):
    for kind in ("binary", "class", "real"):
        everywhere = SampleSpec(6, 3, 2, kind, (7, 8))
        spec = SampleSpec(6, 3, 2, kind, (7, 8), (4, 4))
        x, y = task.draw(spec, np.random.default_rng(0))
        same, dense = task.draw(everywhere, np.random.default_rng(0))
        np.testing.assert_array_equal(x, same)
        assert y.shape == (6, 4, 4, 2)
        assert dense.shape == (6, 7, 8, 2)
        if not isinstance(task, GaussianTask):
            # An output sees what is around every second position.
            np.testing.assert_array_equal(y, dense[:, ::2, ::2])


def test_samples_of_ones_own_may_be_labelled_at_the_outputs():
    X, classes = np.zeros((6, 8, 8, 3)), np.arange(6 * 16).reshape(6, 4, 4) % 2
    spec = SampleSpec(6, 3, 2, "class", (8, 8), (4, 4))
    _, y = SampleTask(X, classes).draw(spec, np.random.default_rng(0))
    assert y.shape == (6, 4, 4, 2)
    wide = np.repeat(np.repeat(classes, 2, axis=1), 2, axis=2)
    _, same = SampleTask(X, wide).draw(spec, np.random.default_rng(0))
    np.testing.assert_array_equal(y, same)


@pytest.mark.parametrize("output_shape", [(9, 8), (4,), (4, 4, 4)])
def test_outputs_have_no_more_positions_than_samples(output_shape):
    with pytest.raises(ValueError, match="cannot be of samples"):
        SampleSpec(6, 3, 2, "class", (8, 8), output_shape)
    with pytest.raises(ValueError, match="got the shape"):
        SampleSpec(6, 3, 2, "class", (2, 2, 2))


def test_a_dish_trains_networks_behind_a_reduction():
    settings = make_settings(
        sample_shape=(8, 8),
        output_shape=(4, 4),
        task=GaussianTask(dense=True),
        loss="cross_entropy",
        steps=3,
    )
    motifs, dishes = [reduced(late=True), reduced(late=False)], [draw_dish(settings, 0)]
    assert dishes[0].y_train.shape == (6, 4, 4, 3)
    engine = TorchEngine(torch.float64, "cpu")
    batch = DishBatch.stack(dishes, torch.float64, "cpu")
    together = engine.curves(engine.build(motifs, settings), batch, (0, 3))
    assert (together.train[..., 1] < together.train[..., 0]).all()
    for index, motif in enumerate(motifs):
        alone = engine.curves(engine.build([motif], settings), batch, (0, 3))
        torch.testing.assert_close(together.valid[:, index], alone.valid[:, 0])
    measured = zero_cost(motifs, dishes, dtype=torch.float64, device="cpu")
    assert np.isfinite(measured).all()
    assert (measured[..., -1] > 1).all()


def test_labels_for_other_positions_are_refused():
    outputs, labels = torch.zeros(1, 2, 6, 4, 4, 3), torch.zeros(1, 2, 6, 8, 8, 3)
    with pytest.raises(ValueError, match=r"positions \(8, 8\)"):
        align_labels(outputs, labels, (4, 4))


# The registry


def test_temporary_operations_leave_nothing_behind():
    with temporary_operations(Operation("test_sinc", torch.sinc)):
        assert get_operation("test_sinc").function is torch.sinc
    with pytest.raises(ValueError, match="Unknown operation 'test_sinc'"):
        get_operation("test_sinc")
    with (
        pytest.raises(ValueError, match="already registered"),
        temporary_operations(Operation("test_sinc", torch.sinc), Operation("tanh", torch.tanh)),
    ):
        pass
    with pytest.raises(ValueError, match="Unknown operation"):
        get_operation("test_sinc")


def test_products_with_other_attributes_are_not_joined():
    def shifted(x, weight, k):
        return x.roll(k, dims=-1) @ weight

    operation = Operation(
        "test_shifted", shifted, attributes=("k",), joins_products=True,
        weight_shapes=lambda n_in, n_out, k: {"weight": (n_in, n_out)},
    )  # fmt: skip
    with temporary_operations(operation):
        one, other = (Node("test_shifted", (0,), units="n_hidden", attributes=(k,)) for k in (1, 2))
        nodes = (Node("input"), one, other, Node("sum", (1, 2)))
        network = Blueprint((*nodes, Node("linear", (3,), units="n_outputs"))).build(3, 4, 2)
        x = torch.randn(5, 3)
        weights = network.weights
        hidden = shifted(x, weights["1_weight"], 1) + shifted(x, weights["2_weight"], 2)
        expected = hidden @ weights["4_weight"] + weights["4_bias"]
        torch.testing.assert_close(network(x), expected)


def test_a_single_value_per_channel_does_not_spoil_running_statistics():
    network = images_network()
    with pytest.raises(ValueError, match="more than one value per channel"):
        network(torch.zeros(1, 1, 1, 3))
    assert torch.isfinite(network.eval()(torch.zeros(1, 1, 1, 3))).all()


def images_network():
    nodes = (Node("input"), Node("conv_3x3", (0,), units="n_hidden"), Node("batch_norm", (1,)))
    return Blueprint((*nodes, Node("linear", (2,), units="n_outputs"))).build(3, 4, 2)


def test_masks_that_are_too_narrow_are_refused():
    nodes = (
        Node("input"),
        Node("carried", (5,), units="n_hidden", factor=2),
        Node("project", (0,), units="n_hidden", factor=2),
        Node("project", (1,), units="n_hidden", factor=2),
        Node("sum", (2, 3)),
        Node("tanh", (4,)),
        Node("linear", (5,), units="n_outputs"),
    )
    network = Blueprint(nodes).build(3, 4, 2)
    masks = Masks(torch.ones(2, 3), torch.ones(2, 4))
    with pytest.raises(ValueError, match="several times as wide"):
        network.unroll(torch.zeros(2, 5, 3), masks=masks)
