"""A page that draws itself again leaves what a person pressed meanwhile alone."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest


def _script(pressed: bool) -> None:
    import streamlit as st
    from streamlit.runtime.scriptrunner import RerunData, RerunException, get_script_run_ctx

    from ui.frame import rerun

    context = get_script_run_ctx()
    assert context is not None
    assert context.script_requests is not None
    if pressed:
        context.script_requests.request_rerun(RerunData(page_script_hash="the other page"))
    try:
        rerun.page()
    except RerunException as again:
        asked = again.rerun_data.page_script_hash
    st.text("other" if asked == "the other page" else "same" if asked == context.page_script_hash else asked)


@pytest.mark.parametrize(("pressed", "goes_to"), [(True, "other"), (False, "same")])
def test_a_link_pressed_just_before_is_followed(pressed: bool, goes_to: str) -> None:
    app = AppTest.from_function(_script, args=(pressed,)).run()
    assert not app.exception
    assert app.text[0].value == goes_to
