"""Answers to several requests as one, and one answer as several: nobody sees the others' rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from houseprice.backend.base import Answer
from houseprice.backend.valuations import valuation_frame
from houseprice.market.problems import Problem

__all__ = ["joined", "parted", "with_strays"]


def parted(answer: Answer, lengths: Sequence[int]) -> Iterator[Answer]:
    """Cut an answer into those of its parts, each counted from row 1."""
    if len(lengths) == 1:
        yield answer
        return
    ends = np.cumsum(lengths)
    whole = [problem for problem in answer.problems if problem.row is None]
    mine: list[list[Problem]] = [[] for _ in lengths]
    for problem in answer.problems:
        if problem.row is not None:
            part = int(np.searchsorted(ends, problem.row))
            mine[part].append(_moved(problem, lengths[part] - int(ends[part])))
    # Cells are cut many times quicker than a frame with a dozen columns of text.
    cells = answer.valuations.to_numpy(dtype=object)
    names = answer.valuations.columns
    cells[:, names.get_loc("row")] = np.concatenate([np.arange(1, n + 1) for n in lengths])
    for length, end, problems in zip(lengths, ends.tolist(), mine, strict=True):
        frame = pd.DataFrame(cells[end - length : end], columns=names, dtype=object, copy=False)
        yield Answer(frame, (*whole, *problems))


def joined(parts: Sequence[Answer]) -> Answer:
    """Put answers to the pieces of one table together."""
    if len(parts) == 1:
        return parts[0]
    problems = [problem for problem in parts[0].problems if problem.row is None]
    before = 0
    for part in parts:
        problems.extend(_moved(each, before) for each in part.problems if each.row is not None)
        before += len(part.valuations)
    return Answer(_counted(pd.concat([part.valuations for part in parts])), tuple(problems))


def with_strays(answer: Answer, strays: Sequence[Problem], version: str) -> Answer:
    """Take the values of rows back in which something was no field, and say so."""
    if not strays:
        return answer
    frame = answer.valuations
    valid = (frame["status"] != "error").to_numpy(dtype=bool, copy=True)
    valid[[problem.row - 1 for problem in strays if problem.row is not None]] = False
    problems = sorted([*strays, *answer.problems], key=lambda problem: problem.row or 0)
    valued = valuation_frame(valid, problems, frame[valid], version, datetime.now(UTC))
    return Answer(valued, tuple(problems))


def _moved(problem: Problem, rows: int) -> Problem:
    return replace(problem, row=(problem.row or 0) + rows) if rows else problem


def _counted(frame: pd.DataFrame) -> pd.DataFrame:
    counted = frame.reset_index(drop=True)
    counted["row"] = np.arange(1, len(counted) + 1)
    return counted
