"""Masks: which weights each concept uses, before and after corrections."""

from ui.frame import app, pages
from ui.masks import page

state, card, _ = app.begin(pages.MASKS, "Masks")
page.show(state, card)
