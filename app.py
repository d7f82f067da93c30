"""SparseCBM Explorer: page settings and navigation only.

The pages lie in ui/pages and not beside this file: Streamlit runs whatever lies in a folder "pages" here
on its own, without this script, when the first visit to a new server is a link to a page.
"""

from pathlib import Path

import streamlit as st

ASSETS = Path(__file__).parent / "assets"

st.set_page_config(page_title="SparseCBM Explorer", page_icon=ASSETS / "icon.svg", layout="wide")
page = st.navigation(
    [
        st.Page("ui/pages/explain.py", title="Explain", default=True),
        st.Page("ui/pages/model_card.py", title="Model card"),
    ],
    position="top",
)
st.html(ASSETS / "app.css")
page.run()
