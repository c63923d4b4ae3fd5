"""Colours and type of the page and its charts, for light and dark screens.

The eight hues follow Okabe and Ito ("Color Universal Design", 2008), which people with the common
forms of colour blindness tell apart; some are darkened (light page) or lightened (dark page) until
lines reach a contrast of 3:1 with the background.
"""

from __future__ import annotations

from typing import Any, Literal

Scheme = Literal["light", "dark"]
SCHEMES: tuple[Scheme, ...] = ("light", "dark")

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"

HUES: dict[Scheme, tuple[str, ...]] = {
    "light": ("#0068a8", "#c94f00", "#00805c", "#a8568a", "#8a6d00", "#2b8fc4", "#5b4fa8", "#7a5a3a"),
    "dark": ("#5cb8f0", "#f5923e", "#2fc79c", "#e494c4", "#e8cf4a", "#9fc9ff", "#b5a8ff", "#d0ae8c"),
}

SURFACES: dict[Scheme, dict[str, str]] = {
    "light": {
        "page": "#fbfbfa", "card": "#ffffff", "ink": "#1b1e22", "quiet": "#565d66", "line": "#dcdfe3",
        "info": "#e8f1f8", "warn": "#fdf1dc", "fail": "#fbe5e1", "good": "#e4f3ec", "link": "#005a94",
    },
    "dark": {
        "page": "#131619", "card": "#1b1f24", "ink": "#e8eaed", "quiet": "#a5adb6", "line": "#353b42",
        "info": "#16293a", "warn": "#372a10", "fail": "#3c1d18", "good": "#12301f", "link": "#7cc4f5",
    },
}


def chart_config(scheme: Scheme) -> dict[str, Any]:
    """Give the Vega-Lite configuration of every chart on a light or dark page."""
    surface = SURFACES[scheme]
    ink = surface["ink"]
    quiet = surface["quiet"]
    line = surface["line"]
    return {
        "background": None,
        "font": FONT,
        "padding": 4,
        "view": {"stroke": None},
        "axis": {
            "labelColor": quiet, "titleColor": ink, "gridColor": line, "domainColor": quiet, "tickColor": quiet,
            "labelFontSize": 12, "titleFontSize": 12, "titleFontWeight": "normal", "titlePadding": 8,
            "gridOpacity": 0.7, "labelOverlap": True,
        },
        "axisY": {"titleAlign": "left", "titleAngle": 0, "titleAnchor": "start", "titleX": 0, "titleY": -12},
        "legend": {
            "orient": "top", "labelColor": ink, "titleColor": quiet, "labelFontSize": 12, "titleFontSize": 12,
            "titleFontWeight": "normal", "symbolSize": 90, "labelLimit": 260, "offset": 22,
        },
        "range": {"category": list(HUES[scheme]), "diverging": [HUES[scheme][0], quiet, HUES[scheme][1]]},
        "text": {"fill": ink, "fontSize": 12},
        "rule": {"color": quiet},
        "mark": {"color": HUES[scheme][0]},
        "style": {
            "name": {"fill": ink, "fontSize": 12},
            "number": {"fill": quiet, "fontSize": 12},
            "guide": {"color": quiet, "strokeDash": [4, 4], "strokeWidth": 1.2},
            "box": {"fill": quiet, "stroke": quiet},
            "reference": {"color": quiet},
        },
    }


def css_variables(scheme: Scheme) -> str:
    """Give the same colours as CSS custom properties, for the page around the charts."""
    names = {**SURFACES[scheme], **{f"hue-{index}": hue for index, hue in enumerate(HUES[scheme])}}
    return "".join(f"--{name}:{value};" for name, value in names.items())
