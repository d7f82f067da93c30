"""SparseCBM Explorer: what `streamlit run` starts. Settings and navigation are in ui/frame."""

from ui.frame import app

app.run()
