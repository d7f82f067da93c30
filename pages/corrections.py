"""Corrections: those of this session, those that were kept, and what they do to other reviews."""

from ui.corrections import page
from ui.frame import app, pages

page.leave_to_redo()
state, card, offer = app.begin(pages.CORRECTIONS, "Corrections", of_review=False)
page.show(state, card, offer)
