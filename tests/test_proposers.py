"""What every proposer promises, in every motif space, and what each is known to do."""

import inspect
import pickle
from functools import partial

import numpy as np
import optuna
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.samplers import RandomSampler, TPESampler
from search_problems import SPACE as PRICED
from search_problems import Prices, small_search
from search_problems import loss as price
from sklearn.base import clone
from sklearn.linear_model import LinearRegression

from sk_petridish.motifs import (
    ActivationFunction,
    ConvCell,
    ModuleMotif,
    ProductSpace,
    RecurrentCell,
    RecurrentGraph,
    SigmoidSlope,
)
from sk_petridish.search import PetriDishSampler, proposers
from sk_petridish.search.proposers import (
    NAO,
    GeneticAlgorithm,
    History,
    Proposer,
    RandomSearch,
    ReinforceController,
    SamplerProposer,
)
from sk_petridish.search.proposers._nao import scaled, slope_at
from sk_petridish.search.proposers._nao_network import Embedding, EncoderPredictorDecoder
from sk_petridish.search.proposers._token_codec import TokenCodec


def network(row, n_inputs, n_hidden, n_outputs):
    """Return no interesting network; proposers build none."""
    return torch.nn.Linear(n_inputs, n_outputs)


MIXED = ModuleMotif(
    network,
    {
        "units": IntDistribution(1, 64, log=True),
        "rate": FloatDistribution(1e-4, 1.0, log=True),
        "share": FloatDistribution(0.0, 1.0, step=0.25),
        "depth": IntDistribution(2, 10, step=2),
        "kind": CategoricalDistribution([0, 3, 5]),
    },
)
SPACES = [
    SigmoidSlope(),
    SigmoidSlope(n_slopes=3),
    ActivationFunction(),
    RecurrentCell(n_nodes=3),
    RecurrentGraph(max_nodes=6),
    ConvCell(),
    MIXED,
    ProductSpace({"slope": SigmoidSlope(n_slopes=2), "module": MIXED}),
    ProductSpace({"normal": ConvCell(), "reduce": ConvCell()}),
]
QUICK = {
    RandomSearch: RandomSearch,
    GeneticAlgorithm: partial(GeneticAlgorithm, n_parents=6),
    NAO: partial(NAO, max_iter=5, n_hidden=8, n_predictor=8),
    ReinforceController: ReinforceController,
    SamplerProposer: SamplerProposer,
}


def history_of(space, n=16, seed=0):
    X = space.sample(n, random_state=seed)
    y = X.mean(axis=1)
    y[3] = np.nan
    return History.of(X, y, np.arange(n) // 6)


def test_every_proposer_is_held_to_the_contract():
    public = {getattr(proposers, name) for name in proposers.__all__}
    found = {thing for thing in public if inspect.isclass(thing) and issubclass(thing, Proposer)}
    assert found - {Proposer} == set(QUICK)


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("space", SPACES, ids=lambda space: type(space).__name__)
def test_proposals_are_legal_new_and_different(kind, space):
    proposer = QUICK[kind](space)
    history = history_of(space)
    assert proposer.ask(0, history).shape == (0, history.X.shape[1])
    for known in (history, History.empty(space)):
        X = proposer.ask(9, known, random_state=1)
        assert X.shape == (9, history.X.shape[1])
        np.testing.assert_array_equal(space.repair(space.validate(X)), X)
        keys = space.canonical_keys(X)
        assert len(set(keys)) == len(X)
        if len(known.X):
            assert not set(keys) & set(space.canonical_keys(known.X))
        np.testing.assert_array_equal(proposer.ask(9, known, random_state=1), X)
    assert repr(clone(proposer)) == repr(proposer)


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.__name__)
def test_a_surrogate_is_used_without_being_changed(kind):
    space = ConvCell()
    history, surrogate = history_of(space), LinearRegression()
    known = history.known()
    surrogate.fit(known.X, known.y)
    proposer = QUICK[kind](space)
    before = pickle.dumps(surrogate), pickle.dumps(proposer)
    X = proposer.ask(6, history, random_state=1, surrogate=surrogate)
    assert X.shape == (6, 6)
    assert (pickle.dumps(surrogate), pickle.dumps(proposer)) == before
    np.testing.assert_array_equal(proposer.ask(6, history, random_state=1, surrogate=surrogate), X)


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.__name__)
def test_an_exhausted_space_gives_what_is_left(kind):
    # Two nodes in chain or in fork, one activation.
    space = RecurrentCell(n_nodes=2, activations=("tanh",))
    proposer = QUICK[kind](space)
    everything = proposer.ask(10, History.empty(space), random_state=0)
    assert len(everything) == 2
    history = History.of(everything, [1.0, 2.0])
    assert proposer.ask(3, history, random_state=0).shape == (0, 4)


@pytest.mark.parametrize("kind", QUICK, ids=lambda kind: kind.__name__)
def test_the_global_generators_are_left_alone(kind):
    space = ConvCell()
    before, numbers = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    QUICK[kind](space).ask(3, history_of(space), random_state=0)
    assert torch.equal(torch.get_rng_state(), before)
    np.testing.assert_array_equal(np.random.get_state()[1], numbers)  # noqa: NPY002


def ones(space, n=100):
    """Return random motifs of which those with small numbers are good."""
    X = space.sample(n, random_state=0)
    return History.of(X, X.sum(axis=1), np.arange(n) // 20)


@pytest.mark.parametrize(
    "proposer",
    [GeneticAlgorithm(ConvCell()), ReinforceController(ConvCell()), SamplerProposer(ConvCell())],
    ids=lambda proposer: type(proposer).__name__,
)
def test_proposals_follow_what_was_good(proposer):
    history = ones(proposer.motif_space)
    proposed = proposer.ask(20, history, random_state=0)
    assert proposed.sum(axis=1).mean() < history.y.mean() - 2 * history.y.std() / 20**0.5


def test_children_of_the_best_have_their_genes():
    space = ConvCell()
    history = ones(space)
    parents = history.best(4)
    only_crossed = GeneticAlgorithm(space, n_parents=4, mutation=0.0, crossover=1.0)
    for child in only_crossed.ask(3, history, random_state=0):
        joined = [
            np.r_[mother[:cut], father[cut:]]
            for mother in parents
            for father in parents
            for cut in range(1, 6)
        ]
        assert any((child == one).all() for one in joined)
    mutated = GeneticAlgorithm(space, n_parents=4, mutation=0.05, crossover=0.0)
    distance = [
        (parents != child).sum(axis=1).min() for child in mutated.ask(50, history, random_state=0)
    ]
    assert min(distance) == 1
    assert np.mean(distance) < 2


def test_the_history_counts_failures_as_known_motifs_without_a_loss():
    history = History.of([[1.0], [2.0], [3.0]], [np.nan, 5.0, 4.0], [0, 0, 1])
    np.testing.assert_array_equal(history.known().X, [[2.0], [3.0]])
    np.testing.assert_array_equal(history.best(5), [[3.0], [2.0]])


def test_a_sampler_sees_the_history_and_what_it_proposed():
    seen = []

    class Spy(RandomSampler):
        def infer_relative_search_space(self, study, trial):
            seen.append([other.state.name for other in study.get_trials(deepcopy=False)])
            return {}

    space = SigmoidSlope()
    SamplerProposer(space, Spy).ask(2, History.of([[0.5], [0.6]], [1.0, np.nan]), random_state=0)
    assert seen == [["COMPLETE", "RUNNING"], ["COMPLETE", "RUNNING", "RUNNING"]]


def test_a_sampler_with_parameters_of_its_own():
    space = SigmoidSlope()
    history = History.of(X := space.sample(12, random_state=0), np.abs(X.ravel() - 0.4))
    proposed = SamplerProposer(space, partial(TPESampler, n_startup_trials=2)).ask(
        30, history, random_state=0
    )
    assert np.median(np.abs(proposed - 0.4)) < np.median(history.y)


def test_proposing_says_nothing(capsys):
    optuna.logging.set_verbosity(optuna.logging.INFO)
    SamplerProposer(SigmoidSlope()).ask(1, History.empty(SigmoidSlope()), random_state=0)
    assert optuna.logging.get_verbosity() == optuna.logging.INFO
    assert capsys.readouterr() == ("", "")


# Tokens


def test_tokens_are_those_of_naos_vocabulary():
    """Known answer: 15 tokens and the start, in NAO's order."""
    space = RecurrentCell()
    codec = TokenCodec(space.search_space(), n_bins=16)
    X = space.sample(5, random_state=0)
    assert codec.n_tokens == 15
    np.testing.assert_array_equal(codec.tokens(X) + 1, space.to_tokens(X))
    legal = codec.legal()
    np.testing.assert_array_equal(legal[::2].sum(axis=1), np.arange(1, 12))
    assert (legal[1::2, 11:].all(), legal[1::2, :11].any()) == (True, False)


@pytest.mark.parametrize("space", SPACES, ids=lambda space: type(space).__name__)
@given(seed=st.integers(0, 2**31 - 1), n_bins=st.integers(2, 40))
def test_tokens_are_legal_and_rows_come_back(space, seed, n_bins):
    codec = TokenCodec(space.search_space(), n_bins)
    X = space.sample(4, random_state=seed)
    tokens = codec.tokens(X)
    legal = codec.legal()
    assert legal[np.arange(X.shape[1]), tokens].all()
    rows = codec.rows(tokens, np.random.RandomState(0))
    np.testing.assert_array_equal(codec.tokens(rows), tokens)
    if isinstance(space, ConvCell):
        np.testing.assert_array_equal(rows, X)


# NAO


def test_nao_learns_to_predict_and_to_reconstruct():
    space = RecurrentCell(n_nodes=4)
    known = history_of(space, n=40).known()
    nao = NAO(space, max_iter=300)
    codec = TokenCodec(space.search_space(), nao.n_bins)
    network = nao._learn(codec, known, seed=0)
    tokens = torch.from_numpy(codec.tokens(known.X))
    with torch.no_grad():
        embedding = network.encode(tokens)
        written = network.decode(embedding)
        predicted = network.predict(embedding).numpy()
    np.testing.assert_allclose(embedding.steps.norm(dim=-1), 1.0, rtol=1e-5)
    np.testing.assert_allclose(embedding.whole.norm(dim=-1), 1.0, rtol=1e-5)
    assert (written == tokens).float().mean() > 0.95
    assert np.corrcoef(predicted, known.y)[0, 1] > 0.9


def test_naos_steps_lower_the_predicted_loss():
    space = RecurrentCell(n_nodes=4)
    known = history_of(space, n=40).known()
    nao = NAO(space, max_iter=100)
    codec = TokenCodec(space.search_space(), nao.n_bins)
    network = nao._learn(codec, known, seed=0)
    tokens = torch.from_numpy(codec.tokens(known.X))
    with torch.no_grad():
        before = network.predict(network.encode(tokens))
    steps, gradient = slope_at(network, tokens)
    moved = [Embedding.of(steps - size * gradient) for size in (0.1, 5.0)]
    small, large = (network.predict(embedding) for embedding in moved)
    assert small.mean() < before.mean()
    assert large.mean() < small.mean()


def test_the_decoder_reads_nothing_that_comes_later():
    space = RecurrentCell(n_nodes=4)
    codec = TokenCodec(space.search_space(), 16)
    torch.manual_seed(0)
    network = EncoderPredictorDecoder(codec.penalties(), 8, 8, 0.0)
    tokens = torch.from_numpy(codec.tokens(space.sample(2, random_state=0)))
    _, logits = network(tokens)
    assert torch.isneginf(logits).eq(torch.from_numpy(~codec.legal())).all()
    # The gradient of the k-th position's logits with respect to what was written.
    written = network.write(torch.cat([torch.full((2, 1), network.start), tokens[:, :-1]], 1))
    written = written.detach().requires_grad_()
    embedding = network.encode(tokens)
    state = embedding.whole[None].contiguous()
    outputs, _ = network.decoder(written, (state, state))
    network._logits(outputs, embedding.steps)[:, 3].sum().backward()
    assert (written.grad[:, 4:] == 0).all()
    assert (written.grad[:, 3] != 0).any()


def test_one_diverged_network_does_not_make_the_others_alike():
    y = np.r_[np.linspace(4.0, 5.0, 30), 1e6]
    targets = scaled(y)
    assert targets.min() == 0
    assert targets[-1] == 1
    assert np.ptp(targets[:30]) > 0.9
    np.testing.assert_array_equal(scaled(np.ones(3)), 0.5)


# The controller


def test_the_replay_is_what_was_learned_step_by_step():
    """A longer history goes on from where a shorter one ended, but for the rewards' scale."""
    space = ConvCell()
    proposer = ReinforceController(space)
    codec = TokenCodec(space.search_space(), proposer.n_bins)
    X = space.sample(40, random_state=0)
    short = History.of(X[:20], np.zeros(20))  # no motif is better: rewards of 0
    long = History.of(X, np.zeros(40), np.repeat([0, 1], 20))
    first = proposer._replay(codec, short)
    again = proposer._replay(codec, short)
    for one, other in zip(first.parameters(), again.parameters(), strict=True):
        assert torch.equal(one, other)
    last = proposer._replay(codec, long)
    assert not torch.equal(first.weight, last.weight)  # entropy alone moves it


def test_log_likelihoods_are_of_a_distribution():
    """Over all motifs of a small space the likelihoods sum to 1."""
    space = ModuleMotif(
        network, {"a": CategoricalDistribution([0, 1, 2]), "b": IntDistribution(1, 2)}
    )
    proposer = ReinforceController(space)
    codec = TokenCodec(space.search_space(), 16)
    policy = proposer._replay(codec, History.of([[0, 1], [2, 2], [1, 1]], [1.0, 2.0, 3.0]))
    grid = np.array([[a, b] for a in (0, 1, 2) for b in (1, 2)], dtype=float)
    with torch.no_grad():
        likelihood, entropy = policy(torch.from_numpy(codec.tokens(grid)))
    assert likelihood.exp().sum().item() == pytest.approx(1.0, abs=1e-5)
    assert 0 < entropy.mean().item() <= np.log(6) + 1e-6
    drawn = policy.sample(4000, torch.Generator().manual_seed(0))
    counts = [(drawn == tokens).all(axis=1).mean() for tokens in codec.tokens(grid)]
    np.testing.assert_allclose(counts, likelihood.exp(), atol=0.03)


def test_the_policy_comes_to_prefer_what_is_rewarded():
    space = ConvCell()
    proposer = ReinforceController(space)
    codec = TokenCodec(space.search_space(), proposer.n_bins)
    policy = proposer._replay(codec, ones(space, 400))
    drawn = policy.sample(500, torch.Generator().manual_seed(0))
    assert codec.rows(drawn, np.random.RandomState(0)).mean() < 1.0  # 2 at random


# A proposer that searches on the surrogate


class Climber(Proposer):
    """Climb down what the surrogate predicts, from motifs at random."""

    def __init__(self, motif_space, n_steps=10):
        super().__init__(motif_space)
        self.n_steps = n_steps
        self.surrogates = []

    def propose(self, n, history, generator, surrogate):
        self.surrogates.append(surrogate)
        while True:
            X = self.motif_space.sample(n, generator)
            for _ in range(self.n_steps if surrogate is not None else 0):
                moved = self.motif_space.mutate(X, 0.3, generator)
                better = surrogate.predict(moved) < surrogate.predict(X)
                X = np.where(better[:, None], moved, X)
            yield X


def predicted_by_search(proposer):
    result = small_search(proposer=proposer).run()
    return [one.predicted for one in result.history if np.isfinite(one.predicted)]


def predicted_by_sampler(proposer):
    sampler = PetriDishSampler(
        PRICED, surrogate=Prices(), proposer=proposer, n_startup_trials=8, n_candidates=20,
        refit_every=4, seed=0,
    )  # fmt: skip
    study = optuna.create_study(sampler=sampler)
    study.optimize(lambda trial: price(PRICED.suggest(trial)), n_trials=16)
    return [trial.user_attrs["predicted"] for trial in study.trials[8:]]


@pytest.mark.usefixtures("quiet_optuna")
@pytest.mark.parametrize("predicted_by", [predicted_by_search, predicted_by_sampler])
def test_a_proposer_may_search_on_the_surrogate(predicted_by):
    climber = Climber(PRICED)
    climbed = predicted_by(climber)
    assert len(climbed) == 8
    assert climber.surrogates
    assert all(isinstance(one, Prices) for one in climber.surrogates)
    assert np.mean(climbed) < np.mean(predicted_by(RandomSearch(PRICED)))


@pytest.mark.usefixtures("quiet_optuna")
def test_without_a_ranking_there_is_no_surrogate_to_search_on():
    climber = Climber(PRICED)
    small_search(proposer=climber, n_candidates=4, n_select=4).run()
    assert climber.surrogates == [None, None]
