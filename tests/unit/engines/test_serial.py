"""The serial engine keeps the protocol of the others."""

from calibstore.engines.protocol import Engine
from calibstore.engines.serial import SerialEngine
from calibstore.pipelines.quantum import Outcome, Quantum


def test_outcomes_come_one_by_one_and_cancel_drops_the_rest() -> None:
    engine: Engine = SerialEngine(lambda quantum: Outcome(label=quantum.label, is_done=True))
    engine.submit([Quantum(label=f"bias:{i}", task="echo", instrument="LATISS") for i in range(3)])
    assert engine.n_open == 3
    assert engine.running == ("bias:0",)
    assert [outcome.label for outcome in engine.wait(0.0)] == ["bias:0"]
    engine.cancel()
    assert engine.n_open == 0
    assert engine.wait(0.0) == ()
    engine.close()
