"""What a page shows under Streamlit's test driver."""

import base64
import json

import numpy as np
import pandas as pd
from streamlit.testing.v1 import AppTest


def table(at: AppTest, column: str) -> pd.DataFrame:
    """The one table that has a column."""
    (found,) = [frame.value for frame in at.dataframe if column in frame.value]
    return found


def said(at: AppTest) -> str:
    """Every sentence of a page."""
    kinds = (at.text, at.caption, at.info, at.warning, at.error, at.success)
    return " ".join(element.value for elements in kinds for element in elements)


def figures(at: AppTest) -> list[list[dict]]:
    """The traces of every figure."""
    return [json.loads(chart.proto.spec)["data"] for chart in at.get("plotly_chart")]


def numbers(axis: list | dict) -> list[float]:
    """The values of a trace's axis, which Plotly may pack."""
    packed = isinstance(axis, dict)
    return np.frombuffer(base64.b64decode(axis["bdata"]), axis["dtype"]).tolist() if packed else list(axis)
