"""SparseCBM Explorer: page settings and navigation only.

The pages lie in pages/views. When the first visit to a new server is a link to a page, Streamlit runs what
lies directly in "pages" instead of this script: there every page but the first hands over to it.
"""

from pathlib import Path

import streamlit as st

ASSETS = Path(__file__).parent / "assets"

st.set_page_config(page_title="SparseCBM Explorer", page_icon=ASSETS / "icon.svg", layout="wide")
page = st.navigation(
    [
        st.Page("pages/views/explain.py", title="Explain", default=True),
        st.Page("pages/views/three_views.py", title="Three views"),
        st.Page("pages/views/masks.py", title="Masks"),
        st.Page("pages/views/corrections.py", title="Corrections"),
        st.Page("pages/views/model_card.py", title="Model card"),
    ],
    position="top",
)
for sheet in ("app.css", "parts.css"):
    st.html(ASSETS / sheet)
page.run()
