import pytest

from tagger.errors import UserError
from tagger.training.run_config import OptimConfig
from tagger.training.schedule import learning_rate_factor


def factors(config: OptimConfig, total: int = 100) -> list[float]:
    return [learning_rate_factor(step, total, config) for step in range(total)]


@pytest.mark.parametrize("decay", ["linear", "cosine", "constant"])
def test_rises_while_warm_and_never_after(decay: str) -> None:
    values = factors(OptimConfig(warmup=0.2, lr_schedule=decay))  # type: ignore[arg-type]
    assert values[:20] == sorted(values[:20])
    assert values[20] == 1
    assert values[20:] == sorted(values[20:], reverse=True)
    assert all(0 < value <= 1 for value in values)


@pytest.mark.parametrize(("decay", "halfway"), [("linear", 0.5), ("cosine", 0.5), ("constant", 1.0)])
def test_halfway_through_the_decay(decay: str, halfway: float) -> None:
    config = OptimConfig(warmup=0, lr_schedule=decay)  # type: ignore[arg-type]
    assert learning_rate_factor(50, 100, config) == pytest.approx(halfway)
    assert learning_rate_factor(100, 100, config) == pytest.approx(0 if decay != "constant" else 1)


@pytest.mark.parametrize("wrong", [{"batch_tokens": 0}, {"warmup": 1.0}, {"warmup": -0.1}, {"patience": 0}])
def test_settings_out_of_range_are_named(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=f"optim.{next(iter(wrong))}"):
        OptimConfig(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(("tokens", "epochs"), [(600 * 100, 20), (600 * 75, 20), (600 * 50, 30), (600, 60), (0, 60)])
def test_a_small_split_gets_more_epochs(tokens: int, epochs: int) -> None:
    assert OptimConfig(batch_tokens=600, epochs=20, min_steps=1500).epochs_for(tokens) == epochs


@pytest.mark.parametrize(("together", "epochs"), [(1, 20), (2, 30), (3, 45), (4, 60), (1000, 60)])
def test_the_more_batches_a_step_takes_the_more_epochs_a_split_gets(together: int, epochs: int) -> None:
    config = OptimConfig(batch_tokens=600, epochs=20, min_steps=1500)
    assert config.epochs_for(600 * 100, together) == epochs
