"""Not the page itself, which is pages/views/three_views.py: this hands over to app.py.

Streamlit runs what lies in "pages" in place of app.py when the first visit to a new server is a link to a
page, and says "Page not found" where nothing lies here. Every page but the first needs such a file.
"""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "app.py"))
