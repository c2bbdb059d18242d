"""What the headings of tables mean, shown over them: the texts of the glossary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import streamlit as st

from harness.glossary import explained


def tooltips(headings: Iterable[str], **widths: int) -> dict[str, Any]:
    """The `column_config` of `st.dataframe` for the headings that the glossary explains.

    Args:
        headings: of the table.
        widths: heading -> width of its column in pixels, where the table would choose a bad one.
    """
    texts = {heading: explained(heading) for heading in headings}
    return {
        heading: st.column_config.Column(help=text, width=widths.get(heading))
        for heading, text in texts.items()
        if text or heading in widths
    }
