"""A figure as a still picture: SVG whose letters stay letters, small, and without a script.

Drawn by matplotlib from what the figure itself holds, so that a page without plotly's library, 4.8 MB of it,
shows the same: bars, lines, marks, matrices, and the lines and words on them.
"""

from __future__ import annotations

import io
import re
from html import escape, unescape
from typing import TYPE_CHECKING, Any

import numpy as np

from sparsecbm_core.errors import InputError
from sparsecbm_core.figures.look import INK, NEUTRAL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import plotly.graph_objects as go
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 880  # pixels of the picture; a page scales it to its own
DASHES: dict[str, Any] = {"dash": (0, (5, 3)), "dot": (0, (1, 2)), "dashdot": "-.", "longdash": (0, (9, 3))}
DASHES |= {"longdashdot": (0, (9, 3, 1, 3)), "solid": "-"}
MARKS = {"circle": "o", "square": "s", "diamond": "D", "x": "X", "cross": "P", "star": "*"}
MARKS |= {"triangle-up": "^", "triangle-down": "v"}
BESIDE = {
    "middle right": ((6, 0), "left", "center"),
    "top center": ((0, 6), "center", "bottom"),
    "bottom center": ((0, -6), "center", "top"),
}
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
ROOM = 0.1  # of an axis of bars, for the number behind the longest


def svg(figure: go.Figure, alt: str) -> str:
    """The figure as an ``<svg>`` element of a page; ``alt`` is what a screen reader says of it.

    `InputError` for a kind of trace that is not drawn here.

    >>> from sparsecbm_core.figures import share_bars
    >>> svg(share_bars(["food"], [0.25]), "How often food is mentioned").startswith('<svg role="img"')
    True
    """
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    # Letters as letters, and equal pictures for equal figures.
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "sparsecbm"})
    height = int(figure.layout.height or 300)
    picture = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, layout="constrained")  # a point is a pixel
    axes = _axes(figure, picture)
    for trace in figure.data:
        if trace.type not in _DRAWN:
            raise InputError(f"no still picture of a trace of type {trace.type!r}: only {', '.join(_DRAWN)}")
        _DRAWN[trace.type](axes[(trace.yaxis or "y")[1:]], trace)
    for name, ax in axes.items():
        _scales(ax, figure.layout[f"xaxis{name}"], figure.layout[f"yaxis{name}"], figure.data)
    for shape in figure.layout.shapes:
        _shape(axes.get((shape.yref or "y")[1:], axes[""]), shape)
    _notes(figure, axes)
    if figure.layout.showlegend:
        _legend(picture, axes)
    out = io.StringIO()
    FigureCanvasSVG(picture).print_svg(out, metadata={"Date": None, "Creator": None})
    drawn = re.sub(r"<metadata>.*?</metadata>| font-family: [^;]*;", "", out.getvalue(), flags=re.DOTALL)
    body = drawn[drawn.index(">", drawn.index("<svg")) + 1 :]
    return (
        f'<svg role="img" aria-label="{escape(alt)}" viewBox="0 0 {WIDTH} {height}" '
        'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'font-family="{FONT}" style="background:#fff">{body}'
    )


def _axes(figure: go.Figure, picture: Figure) -> dict[str, Axes]:
    """By the number in plotly's name of the axis, "" for the first: in rows, as many abreast as there."""
    layout = figure.to_dict()["layout"]
    names = [key.removeprefix("yaxis") for key in layout if key.startswith("yaxis")] or [""]
    starts = {min(figure.layout[f"xaxis{name}"].domain or (0,)) for name in names}
    rows = -(-len(names) // len(starts))
    grid = picture.add_gridspec(rows, len(starts))
    axes = {}
    for place, name in enumerate(names):
        ax = picture.add_subplot(grid[place // len(starts), place % len(starts)])
        ax.set_facecolor("none")
        ax.spines[:].set_visible(False)
        axes[name] = ax
    picture.set_facecolor("none")
    return axes


def _bar(ax: Axes, trace: Any) -> None:
    marker, count = trace.marker, len(trace.x)
    colors, shapes = _each(marker.color, count), _each(marker.pattern.shape or "", count)
    bases, fades = _each(trace.base or 0.0, count), _each(marker.opacity or 1.0, count)
    for i, (value, y) in enumerate(zip(trace.x, trace.y, strict=True)):
        hatch = {"/": "///", "x": "xx"}.get(shapes[i], "")
        ax.barh(
            y, value, trace.width, bases[i], color=colors[i], alpha=fades[i], hatch=hatch,
            edgecolor=(1, 1, 1, 0.6), linewidth=0,
            label=_words(trace.name) if i == 0 and trace.name else "_",
        )  # fmt: skip
        if trace.text is not None:
            _write(ax, bases[i] + max(value, 0.0), y, trace.text[i], (6, 0), size=trace.textfont.size)


def _scatter(ax: Axes, trace: Any) -> None:
    x, y = (np.array([np.nan if v is None else v for v in values], float) for values in (trace.x, trace.y))
    mode = trace.mode or "lines"
    style: dict[str, Any] = {}
    if "lines" in mode:
        style |= {"linestyle": DASHES[trace.line.dash or "solid"], "linewidth": trace.line.width or 2}
    if "markers" in mode:
        style |= {"marker": MARKS[trace.marker.symbol or "circle"], "markersize": trace.marker.size or 8}
    color = trace.line.color or trace.marker.color or INK
    label = _words(trace.name) if trace.name and trace.showlegend is not False else "_"
    if style:
        ax.errorbar(
            x, y, _ends(trace.error_y), _ends(trace.error_x), color=color, elinewidth=1.2, capsize=3,
            label=label, **{"linestyle": "none", **style},
        )  # fmt: skip
    if "text" in mode and trace.text is not None:
        shift, ha, va = BESIDE[trace.textposition or "top center"]
        for place, text in zip(zip(x, y, strict=True), trace.text, strict=True):
            if text and not np.isnan(place).any():
                _write(ax, *place, text, shift, ha, va, trace.textfont.size)


def _heatmap(ax: Axes, trace: Any) -> None:
    from matplotlib.colors import LinearSegmentedColormap

    shades = LinearSegmentedColormap.from_list("", [(at, _color(color)) for at, color in trace.colorscale])
    ends = {"vmin": trace.zmin, "vmax": trace.zmax, "cmap": shades}
    z = np.ma.masked_invalid(np.array(trace.z, float))
    if trace.xgap:
        edges = [np.arange(size + 1) - 0.5 for size in reversed(z.shape)]
        drawn: Any = ax.pcolormesh(*edges, z, edgecolors="white", linewidth=trace.xgap, **ends)
    else:
        drawn = ax.imshow(z, aspect="auto", interpolation="nearest", **ends)
    if trace.showscale is not False:
        bar = ax.figure.colorbar(drawn, ax=ax, location="bottom", shrink=0.6, aspect=60, anchor=(0.0, 1.0))
        bar.outline.set_visible(False)
        bar.ax.xaxis.set_major_formatter(lambda value, _: f"{value:g}{trace.colorbar.ticksuffix or ''}")


_DRAWN: Mapping[str, Callable[[Any, Any], None]] = {"bar": _bar, "scatter": _scatter, "heatmap": _heatmap}


def _scales(ax: Axes, across: Any, down: Any, traces: Sequence[Any]) -> None:
    from matplotlib.ticker import NullLocator

    room = ROOM if any(trace.type == "bar" for trace in traces) else 0.0
    for axis, asked, limit in ((ax.xaxis, across, ax.set_xlim), (ax.yaxis, down, ax.set_ylim)):
        if asked.type == "log":
            (ax.set_xscale if axis is ax.xaxis else ax.set_yscale)("log")
        if asked.range is not None:
            first, last = (10**end if asked.type == "log" else end for end in asked.range)
            limit(first, last + (room * (last - first) if axis is ax.xaxis else 0.0))
        axis.set_visible(asked.visible is not False)
        if asked.tickvals is not None:
            turned = {"rotation": -asked.tickangle} if asked.tickangle else {}
            named = None if asked.ticktext is None else [_words(text) for text in asked.ticktext]
            axis.set_ticks(list(asked.tickvals), named, **turned)
            axis.set_minor_locator(NullLocator())
        if asked.ticktext is None and "%" in (asked.tickformat or ""):
            axis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        axis.set_tick_params(length=0, labelsize=12.5, labelcolor=INK)
        if asked.title.text:
            axis.set_label_text(_words(asked.title.text), size=13, color=INK)
    if across.side == "top":
        ax.xaxis.set_ticks_position("top")
        ax.xaxis.set_label_position("top")
    elif across.visible is not False:
        ax.spines["bottom"].set(visible=True, color=NEUTRAL, linewidth=0.8)


def _shape(ax: Axes, shape: Any) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    style = {"color": shape.line.color, "linewidth": shape.line.width, "clip_on": False}
    if shape.type == "line":
        dash = DASHES[shape.line.dash or "solid"]
        ax.add_line(Line2D([shape.x0, shape.x1], [shape.y0, shape.y1], linestyle=dash, **style))
    else:
        size = shape.x1 - shape.x0, shape.y1 - shape.y0
        ax.add_patch(Rectangle((shape.x0, shape.y0), *size, fill=False, **style))


def _notes(figure: go.Figure, axes: Mapping[str, Axes]) -> None:
    """Words at a place of an axis; those at a place of the whole figure are the titles of its plots."""
    titles = iter(axes.values())
    for note in figure.layout.annotations:
        if note.xref == "paper":
            next(titles).set_title(_words(note.text), size=14, color=INK)
            continue
        ax = axes[(note.yref or "y")[1:]]
        shift = (note.xshift or 0, note.yshift or 0)
        _write(ax, note.x, note.y, note.text, shift, note.xanchor or "center", size=note.font.size)


def _legend(picture: Figure, axes: Mapping[str, Axes]) -> None:
    named: dict[str, Any] = {}
    for ax in axes.values():
        for handle, name in zip(*ax.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    if named:
        picture.legend(
            named.values(), named.keys(), loc="outside upper left", ncols=3, frameon=False, fontsize=13,
            labelcolor=INK,
        )  # fmt: skip


def _write(
    ax: Axes,
    x: float,
    y: float,
    text: str,
    shift: tuple[float, float],
    ha: str = "left",
    va: str = "center",
    size: float | None = None,
) -> None:
    """Words at a point, ``shift`` pixels beside it."""
    weight = "bold" if text.startswith("<b>") else "normal"
    ax.annotate(
        _words(text), (x, y), shift, textcoords="offset points", ha=ha, va=va, size=size or 13, color=INK,
        weight=weight, annotation_clip=False,
    )  # fmt: skip


def _words(text: str) -> str:
    """What plotly shows of its own markup, as matplotlib takes it, to which a dollar begins a formula."""
    return unescape(re.sub(r"<[^>]*>", "", text.replace("<br>", "\n"))).replace("$", r"\$")


def _each(value: Any, count: int) -> list[Any]:
    """One for each bar."""
    return [value] * count if isinstance(value, str | int | float) else list(value)


def _ends(error: Any) -> np.ndarray | None:
    """Down and up, (2, n), of the error bars of a trace that has some."""
    if error is None or error.array is None:
        return None
    down = error.array if error.arrayminus is None else error.arrayminus
    return np.array([down, error.array], float)


def _color(text: str) -> tuple[float, ...]:
    red, green, blue, alpha = (float(part) for part in re.findall(r"[\d.]+", text))
    return red / 255, green / 255, blue / 255, alpha
