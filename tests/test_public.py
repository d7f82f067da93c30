"""What the package offers by name: verbs that are packages too, whatever was imported before."""

from __future__ import annotations

import inspect
import pkgutil
import subprocess
import sys
from importlib import import_module
from itertools import permutations

import pytest

import sparsecbm_core
from tests.tiny import REVIEW
from tests.toy import toy_reviews

MODULES = {"explain": "results", "intervene": "results"}  # those of `evaluate` take seconds to import
MODULE = "import sparsecbm_core.{verb}.{module} as module, sparsecbm_core.{verb}"
VERB = "from sparsecbm_core import {verb}; assert callable({verb})"
WHOLE = "import sparsecbm_core; assert callable(sparsecbm_core.{verb})"


def python(*lines: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize(("verb", "module"), MODULES.items())
def test_the_order_of_imports_does_not_matter(verb, module):
    """Importing a module of the package binds its name in the one above anew."""
    for steps in permutations((MODULE, VERB, WHOLE)):
        lines = [step.format(verb=verb, module=module) for step in steps]
        same = f"assert {verb} is sparsecbm_core.{verb} and {verb}.{module} is module"
        python(*lines, same, f"assert callable({verb})")


def test_the_package_alone_does_not_load_torch():
    heavy = {"torch", "transformers", "pandas", "sklearn"}
    verbs = "from sparsecbm_core import evaluate, explain"
    assert python("import sys, sparsecbm_core", f"print({heavy} & set(sys.modules))") == "set()"
    assert python(f"import sys; {verbs}", f"print({heavy} & set(sys.modules))") == "set()"


def test_every_name_is_there_and_no_other():
    for name in sparsecbm_core.__all__:
        assert getattr(sparsecbm_core, name) is not None
    assert sparsecbm_core.__all__ == sorted(sparsecbm_core.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = sparsecbm_core.nothing


def test_a_verb_does_what_its_function_does(tiny_model):
    from sparsecbm_core import evaluate, explain, intervene
    from sparsecbm_core.evaluate.report import evaluate_model
    from sparsecbm_core.explain import explain as the_function
    from sparsecbm_core.intervene.correct import intervene as correct

    assert explain(tiny_model, REVIEW, method=None) == the_function(tiny_model, REVIEW, None)
    done = intervene(tiny_model, REVIEW, "food", "Negative", rule="random")
    assert done.edit == correct(tiny_model, REVIEW, "food", "Negative", rule="random").edit
    assert evaluate(tiny_model, toy_reviews(4)).examples == 4
    for verb, function in ((evaluate, evaluate_model), (explain, the_function), (intervene, correct)):
        assert inspect.signature(verb) == inspect.signature(function)
        assert inspect.ismodule(verb)


def offered() -> dict[str, object]:
    """Every name that the package or one of its parts offers, and the methods of a model."""
    found = {}
    for part in (
        "",
        *(f".{item.name}" for item in pkgutil.iter_modules(sparsecbm_core.__path__) if item.ispkg),
    ):
        home = import_module(f"sparsecbm_core{part}")
        found |= {f"{home.__name__}.{name}": getattr(home, name) for name in getattr(home, "__all__", ())}
    names = [name for name in dir(sparsecbm_core.ConceptModel) if name[0] != "_"]
    return found | {name: getattr(sparsecbm_core.ConceptModel, name) for name in names}


def test_every_public_function_has_an_example_that_runs():
    """So have the classes that are more than a record."""
    classes = {"ConceptModel", "ConceptSpace", "MaskSet", "MaskEdit", "Patch", "Ledger", "TokenMethod"}
    elsewhere = {"load_cebab_hub", "main"}  # one asks the hub, the other is the command
    checked = 0
    for name, thing in offered().items():
        called = thing.__wrapped__ if inspect.ismodule(thing) else thing
        own = name.rpartition(".")[2]
        if own in elsewhere or not (inspect.isfunction(called) or inspect.ismethod(called) or own in classes):
            continue
        said = inspect.getdoc(called) or ""
        assert ">>> " in said, name
        assert "+SKIP" not in said, name
        checked += 1
    assert checked > 50
