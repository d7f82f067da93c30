"""Three views: attention, plain concept bottleneck and sparse pathway of one review, side by side."""

from ui.frame import app, pages
from ui.three_views import page

state, card, _ = app.begin(pages.THREE_VIEWS, "Three views")
page.show(state, card)
