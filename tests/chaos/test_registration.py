"""A fault that leaves out any part of itself is refused, with the part and what to write."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from gameday.chaos import registry
from gameday.chaos.completeness import PARTS, gaps
from gameday.chaos.declaration import (
    Activity,
    ActsOn,
    DeclaredFault,
    Hypothesis,
    Nothing,
    Objects,
    Records,
    Toxics,
)
from gameday.chaos.parameters import COUNT, LEFT_OUT, TEXT, Parameter, one_of
from gameday.chaos.registry import FaultRefused, FaultRegistry, known


def _made_up() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "forget_setting", Path(__file__).with_name("forget_setting.py")
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MADE_UP = _made_up()
FAULT: DeclaredFault = MADE_UP.FAULT


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let experiments find the made-up fault by its module's name."""
    monkeypatch.setitem(sys.modules, "forget_setting", MADE_UP)


def refusal(fault: Any, among: FaultRegistry | None = None) -> str:
    with pytest.raises(FaultRefused) as refused:
        (among or FaultRegistry()).register(fault)
    return str(refused.value)


def with_parameter(name: str, **changes: Any) -> DeclaredFault:
    return replace(
        FAULT,
        parameters=tuple(replace(p, **changes) if p.name == name else p for p in FAULT.parameters),
    )


def without(*names: str) -> DeclaredFault:
    return replace(FAULT, parameters=tuple(p for p in FAULT.parameters if p.name not in names))


def test_a_whole_fault_is_registered() -> None:
    registered = FaultRegistry([FAULT])

    assert [FAULT] == list(registered)
    assert FAULT == registered.named("forget-setting")
    assert FAULT == registered.injected_by("forget_setting", "forget_setting")
    assert FAULT == registered.marking("forget-setting")
    assert ("configmaps",) == registered.resources


@pytest.mark.parametrize("part", PARTS)
def test_leaving_out_a_part_is_refused_with_its_name_and_what_to_write(part: str) -> None:
    said = refusal(replace(FAULT, **{part: LEFT_OUT}))

    what, write = PARTS[part]
    name = "without a name" if part == "name" else "'forget-setting'"
    assert said == (
        f"the fault {name} cannot be registered: `{part}` is left out, {what}; write {write}"
    )


def test_whatever_a_declaration_requires_is_among_its_parts() -> None:
    required = {f.name for f in fields(DeclaredFault) if f.default is LEFT_OUT}

    assert required == set(PARTS)


def test_everything_that_is_left_out_is_said_at_once() -> None:
    said = refusal(DeclaredFault(name="empty"))

    assert [f"`{part}`" for part in PARTS if part != "name"] == [
        line.partition("registered: ")[2].split()[0] for line in said.splitlines()
    ]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"recover": Nothing("")}, '`recover` has no because; write Nothing("why")'),
        ({"inject": Activity("", MADE_UP.forget_setting)}, "`inject` has no words"),
        ({"inject": Activity("forget")}, "`inject` has no function"),
        ({"inject": MADE_UP.forget_setting}, "`inject` cannot be <function forget_setting"),
        ({"marks": Objects("", ("configmaps",), MADE_UP._take_out)}, "`marks` has no fault"),
        ({"marks": Objects("forget-setting", (), MADE_UP._take_out)}, "`marks` names no resources"),
        ({"marks": Objects("forget-setting", ("configmaps",))}, "`marks` has no take_out"),
        ({"marks": Records()}, "`marks` has no find"),
        (
            {"marks": Objects("forget-setting", ("configmaps",), lambda mark: None)},
            "`marks`: take_out is given the cluster, the mark and what was found",
        ),
        ({"acts_on": "cluster"}, "`acts_on` cannot be 'cluster'; write acts_on=ActsOn.PROXY"),
        ({"steady": Hypothesis("It is")}, "`steady` has no probe"),
        ({"undo": ""}, "`undo` is left out"),
        ({"where": ()}, "`where` is left out"),
        ({"parameters": ("namespace",)}, "`parameters`: number 1 is no Parameter"),
    ],
)
def test_a_part_that_is_empty_inside_is_as_good_as_left_out(
    change: dict[str, Any], words: str
) -> None:
    assert words in refusal(replace(FAULT, **change))


@pytest.mark.parametrize("part", ["type", "default", "meaning"])
def test_a_parameter_says_its_type_default_and_meaning(part: str) -> None:
    said = refusal(with_parameter("key", **{part: LEFT_OUT}))

    assert f"`parameters`: 'key' has no {part}; write Parameter(" in said


def test_a_number_says_what_it_counts() -> None:
    said = refusal(with_parameter("key", type=COUNT, default=1))

    assert "`parameters`: 'key' is a whole number and has no unit" in said


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (replace(FAULT, name="Forget it"), "`name`: 'Forget it' is no file's name"),
        (without("mark"), "none is called change_name or mark"),
        (without("context"), "`parameters`: 'context' is missing"),
        (without("at_most"), "`parameters`: 'at_most' is missing"),
        (without("key"), "forget_setting takes 'key', which is no parameter"),
        (
            replace(FAULT, parameters=(*FAULT.parameters, Parameter("x", TEXT, "", "y"))),
            "`parameters`: forget_setting does not take 'x'",
        ),
        (
            replace(FAULT, parameters=(*FAULT.parameters, Parameter("hold", TEXT, "", "y"))),
            "'hold' is given to every experiment",
        ),
        (
            replace(FAULT, parameters=(*FAULT.parameters, FAULT.parameters[0])),
            "'namespace' is declared twice",
        ),
        (
            with_parameter("key", type=one_of("a", "b")),
            "the default of 'key' is none: key must be one of a, b, not 'currency'",
        ),
        (replace(FAULT, marks=Toxics()), "`marks`: a fault on a cluster marks by Objects"),
        (replace(FAULT, marks=Nothing("it is")), "`marks` is Nothing, and `recover` takes"),
        (replace(FAULT, recover=Nothing("it ends")), "`is_present` and `recover` belong together"),
        (replace(FAULT, where=("{color}",)), "`where`: '{color}' names no parameter: color"),
        (replace(FAULT, where=("{",)), "`where`: '{' names no parameter"),
        (replace(FAULT, touches="all"), "`touches` cannot be 'all'; write touches=FUNCTION"),
        (
            replace(FAULT, touches=lambda pods: None),
            "`touches` takes 'pods', which inject does not take",
        ),
        (
            replace(FAULT, touches=lambda namespace, readers="": None),
            "`touches`: 'readers' is '' by default, and for inject",
        ),
        (replace(FAULT, module="gameday.nowhere"), "look for gameday.nowhere.forget_setting"),
    ],
)
def test_a_declaration_that_contradicts_itself_is_refused(fault: DeclaredFault, words: str) -> None:
    assert words in refusal(fault)


def recovering(function: Callable[..., Any]) -> DeclaredFault:
    module = sys.modules[__name__]
    setattr(module, function.__name__, function)
    function.__module__ = __name__
    return replace(FAULT, recover=Activity("recover it", function))


def test_a_recovery_that_is_not_told_the_mark_is_refused() -> None:
    def recover_blindly(context: str | None = None, kubeconfig: str | None = None) -> None: ...

    assert "`recover` does not take mark" in refusal(recovering(recover_blindly))


def test_a_recovery_with_arguments_that_nobody_names_is_refused() -> None:
    def recover_anything(
        mark: str, context: str | None = None, kubeconfig: str | None = None, **more: Any
    ) -> None: ...

    said = refusal(recovering(recover_anything))

    assert "`recover`: recover_anything takes *more; name every argument" in said


def test_a_fault_is_registered_once() -> None:
    said = refusal(FAULT, FaultRegistry([FAULT]))

    assert "there is a fault of this name already" in said


def test_two_faults_do_not_share_an_action_or_a_label() -> None:
    said = refusal(replace(FAULT, name="another"), FaultRegistry([FAULT]))

    assert "inject: forget_setting.forget_setting is that of the fault 'forget-setting'" in said
    assert "marks: the label 'forget-setting' is that of the fault 'forget-setting'" in said


def test_what_is_no_declaration_is_refused_with_where_it_was_found() -> None:
    with pytest.raises(
        FaultRefused, match=r"faults/x\.py declares no fault: write FAULT = DeclaredFault"
    ):
        FaultRegistry().register(None, "faults/x.py")


def test_a_file_among_the_faults_that_declares_none_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gameday.chaos import faults

    (tmp_path / "half_a_fault.py").write_text('"""Nothing."""\n')
    monkeypatch.setattr(faults, "__path__", [*faults.__path__, str(tmp_path)])

    with pytest.raises(FaultRefused, match=r"half_a_fault\.py declares no fault"):
        registry.own()


def test_every_place_of_a_fault_has_its_marks_and_addresses() -> None:
    from gameday.chaos.completeness import MARKS
    from gameday.chaos.declaration import ADDRESSES

    assert set(ActsOn) == set(MARKS) == set(ADDRESSES)


@pytest.mark.parametrize("fault", tuple(known()), ids=lambda f: f.name)
def test_each_of_our_faults_is_whole_and_lives_in_the_file_of_its_name(
    fault: DeclaredFault,
) -> None:
    module = import_module(fault.inject.does.__module__)

    assert [] == gaps(fault)
    assert fault is module.FAULT
    assert fault.name.replace("-", "_") == module.__name__.rpartition(".")[2]


@pytest.mark.parametrize("fault", tuple(known()), ids=lambda f: f.name)
def test_what_does_something_alike_elsewhere_is_a_fault_that_acts_there(
    fault: DeclaredFault,
) -> None:
    for place, text in fault.elsewhere.items():
        other = known().named(text.split()[0].rstrip(","))

        assert other.acts_on in (place, ActsOn.PROXY)
        assert place is not fault.acts_on


SHIPPED = {
    "gameday.chaos.deploys": (
        "change_is_live",
        "deploy_change",
        "deploys_are_known",
        "recover_change",
    ),
    "gameday.chaos.downstream": (
        "break_downstream",
        "downstream_is_broken",
        "downstream_is_clean",
        "downstream_is_slow",
        "recover_downstream",
        "slow_downstream",
    ),
    "gameday.chaos.networks": (
        "isolate_pods",
        "pods_are_isolated",
        "pods_are_slow",
        "pods_can_be_reached",
        "recover_isolation",
        "recover_slowness",
        "slow_pods",
    ),
    "gameday.chaos.pods": ("kill_pods", "pods_are_ready"),
    "gameday.chaos.pressure": ("press", "pressure_is_on", "recover_pressure"),
    "gameday.chaos.processes": ("kill_service", "service_is_healthy"),
    "gameday.chaos.regions": (
        "drain_region",
        "nodes_are_free",
        "recover_region",
        "region_is_drained",
    ),
    "gameday.chaos.strays": ("find_strays", "is_astray", "recover_stray"),
    "gameday.chaos.workloads": (
        "change_is_live",
        "change_workload",
        "recover_change",
        "recover_scale",
        "scale_to_zero",
        "workload_is_scaled_down",
        "workload_is_untouched",
    ),
}
"""Every name that an experiment or an undo of ours has ever used: they are in people's copies."""

INJECTING = {
    ("gameday.chaos.deploys", "deploy_change"): "deploy-change",
    ("gameday.chaos.downstream", "break_downstream"): "broken-downstream",
    ("gameday.chaos.downstream", "slow_downstream"): "slow-downstream",
    ("gameday.chaos.networks", "isolate_pods"): "isolate-pods",
    ("gameday.chaos.networks", "slow_pods"): "slow-network",
    ("gameday.chaos.pods", "kill_pods"): "kill-pod",
    ("gameday.chaos.pressure", "press"): "pressure",
    ("gameday.chaos.processes", "kill_service"): "kill-service",
    ("gameday.chaos.regions", "drain_region"): "drain-region",
    ("gameday.chaos.workloads", "change_workload"): "bad-deploy",
    ("gameday.chaos.workloads", "scale_to_zero"): "scale-to-zero",
}


@pytest.mark.parametrize(
    ("module", "func"), [(m, f) for m, functions in SHIPPED.items() for f in functions]
)
def test_a_name_that_experiments_have_used_stays(module: str, func: str) -> None:
    assert callable(getattr(import_module(module), func))


@pytest.mark.parametrize(("action", "fault"), list(INJECTING.items()), ids=lambda v: str(v)[-30:])
def test_an_action_is_known_as_its_fault_by_its_old_name_and_by_its_file(
    action: tuple[str, str], fault: str
) -> None:
    found = known().injected_by(*action)

    assert found is known().named(fault)
    assert found is known().injected_by(
        f"gameday.chaos.faults.{fault.replace('-', '_')}", action[1]
    )
