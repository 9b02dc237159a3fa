"""Tasks handed to the workers of a Dask cluster, and what follows each answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from houseprice.batch.machines.orders import Failure, Job
from houseprice.batch.streaming import Streamed
from houseprice.errors import HousePriceError

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["Dispatch", "Follow", "Outcome"]

Outcome = tuple[Job, Streamed | Failure]
"""A file, and what came of it."""
Follow = Callable[[Any], Outcome | None]
"""What to do with the answer of a task: hand out the next, or tell what came of the file."""


class Dispatch:
    """The tasks of a run.

    Parameters
    ----------
    client : distributed.Client
    """

    def __init__(self, client: Client) -> None:
        from distributed import as_completed

        self._client = client
        self._done = as_completed(loop=client.loop, with_results=True, raise_errors=False)
        self._follow: dict[Future[Any], tuple[Job, Follow]] = {}

    def hand_out(
        self,
        task: Callable[..., Any],
        after: Sequence[tuple[Job, Follow]],
        *given: Sequence[object],
    ) -> None:
        """Submit a task for each of what is given, and remember what to do with its answer.

        Parameters
        ----------
        task : callable
            A function that workers know by its name.
        after : sequence of (Job, callable)
            The file that a task is for, and what follows its answer.
        *given : sequences as long as ``after``
            What the task is called with.
        """
        if after:
            # Not pure: the answer to the same call of an earlier run says nothing of today's files.
            futures = self._client.map(task, *given, pure=False)
            self._follow.update(zip(futures, after, strict=True))
            self._done.update(futures)

    def outcomes(self) -> Iterator[Outcome]:
        """Follow up each answer, and tell the end of each file, until no task is left.

        Raises
        ------
        HousePriceError
            If the scheduler is gone.
        """
        over: set[Job] = set()
        for future, given in self._done:
            job, follow = self._follow.pop(future)
            status = future.status
            # Nobody asks for it again: if its worker is killed now, it is not done once more.
            future.release()
            if job in over:
                continue
            answer = given if status == "finished" else _failure(status, given)
            outcome = (job, answer) if isinstance(answer, Failure) else follow(answer)
            if outcome is not None:
                over.add(job)
                self._client.cancel([task for task, (of, _) in self._follow.items() if of == job])
                yield outcome

    def stop(self) -> None:
        """Take back what has no answer yet."""
        self._client.cancel(list(self._follow))


def _failure(status: str, answer: object) -> Failure:
    """Say why a task has no answer: a fault of the worker, not of the file."""
    from distributed import KilledWorker

    if status != "error":
        raise HousePriceError(
            "The connection to the scheduler was lost, so the files that were not done yet are not "
            "valued. Start the same again when it is back."
        )
    error = answer[1] if isinstance(answer, tuple) else answer
    if isinstance(error, KilledWorker):
        return Failure(
            "Every worker that tried it was killed. Often memory runs out: give the workers more, "
            "or start fewer on one computer."
        )
    return Failure(f"A worker failed: {type(error).__name__}: {error}")
