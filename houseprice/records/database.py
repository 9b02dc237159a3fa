"""Opening the database of the records: its URL, its connections, its migrations, its backup."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Select,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.exc import DBAPIError, OperationalError, SQLAlchemyError

from houseprice.errors import HousePriceError, RecordsError
from houseprice.extras import require
from houseprice.files import file_lock
from houseprice.records.schema import REVISION
from houseprice.settings import Settings

if TYPE_CHECKING:
    import psycopg

BUSY_S = 30
"""How long a writer waits for others, in seconds."""
CONNECT_S = 10
"""How long a server may take to accept a connection, in seconds."""

_READS = "read"
_WRITES = "write"


class Database:
    """A database of records whose schema is that of this program.

    Transactions are opened by :meth:`read` and :meth:`write`; both turn errors of the database into
    RecordsError.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @classmethod
    def open(cls, settings: Settings) -> Database:
        """Open the database of the settings, created or migrated if it has to be."""
        return cls.at(parse_url(settings.database_url.get_secret_value()))

    @classmethod
    def at(cls, url: URL) -> Database:
        """Open a database by its URL."""
        if url.get_backend_name() == "sqlite":
            assert url.database is not None
            path = Path(url.database)
            _make_private_file(path)
            database = cls(_sqlite_engine(url))
            with file_lock(path.with_name(f"{path.name}.lock")):
                database._migrate()
        else:
            try:
                require("postgresql", "A PostgreSQL database")
            except HousePriceError as error:
                raise RecordsError(str(error)) from None
            database = cls(_postgresql_engine(url))
            database._migrate()
        return database

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database."""
        with _as_records_error("read"), self._begin(_READS) as connection:
            yield connection

    def frame(self, query: Select[Any]) -> pd.DataFrame:
        """Return the result of a query."""
        with self.read() as connection:
            result = connection.execute(query)
            # pandas looks for attributes of each row that is no plain tuple.
            return pd.DataFrame(map(tuple, result), columns=list(result.keys()))

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a transaction that is written as a whole at its end, or not at all."""
        with _as_records_error("written"), self._begin(_WRITES) as connection:
            yield connection

    @contextmanager
    def _begin(self, mode: str) -> Iterator[Connection]:
        with self.engine.connect().execution_options(mode=mode) as connection, connection.begin():
            yield connection

    def backup(self, target: Path) -> None:
        """Copy an SQLite database into a new file, while others may write."""
        if self.engine.dialect.name != "sqlite":
            raise RecordsError("The records are in PostgreSQL: use pg_dump to back them up.")
        if target.exists():
            raise RecordsError(f"{target} exists already. Choose the name of a new file.")
        _make_private_file(target)
        try:
            with _as_records_error("read"), self.engine.connect() as connection:
                source: Any = connection.connection.driver_connection
                copy = sqlite3.connect(target)
                try:
                    source.backup(copy)
                    # One file, which needs no journal beside it.
                    copy.execute("PRAGMA journal_mode = DELETE")
                finally:
                    copy.close()
        except (OSError, sqlite3.Error, RecordsError) as error:
            target.unlink(missing_ok=True)
            raise RecordsError(f"The backup {target} can't be written: {_reason(error)}") from error

    def _migrate(self) -> None:
        """Bring the schema to that of this program."""
        try:
            with _as_records_error("opened"):
                self._upgrade()
        except RecordsError:
            self.engine.dispose()
            raise

    def _upgrade(self) -> None:
        current = self._revision()
        if current == REVISION:
            return
        if current is not None and current > REVISION:
            raise RecordsError(
                f"The database of the records has revision {current} of its schema, and this "
                f"version of houseprice knows {REVISION}. Install a newer houseprice."
            )
        with self._begin(_WRITES) as connection:
            if self.engine.dialect.name == "postgresql":
                # Several processes may start at the same time.
                connection.execute(text("SELECT pg_advisory_xact_lock(4837261)"))
            migrate(connection, REVISION)

    def _revision(self) -> str | None:
        with self._begin(_READS) as connection:
            if not inspect(connection).has_table("alembic_version"):
                return None
            revision = connection.scalar(text("SELECT version_num FROM alembic_version"))
            return None if revision is None else str(revision)


def migrate(connection: Connection, revision: str) -> None:
    """Bring the schema to a revision."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", "houseprice.records:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def parse_url(given: str) -> URL:
    """Parse a URL that the settings accept; PostgreSQL gets its driver."""
    url = make_url(given)
    is_sqlite = url.get_backend_name() == "sqlite"
    return url if is_sqlite else url.set(drivername="postgresql+psycopg")


def _make_private_file(path: Path) -> None:
    """Create a file that only its owner can read, or leave the one that is there."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.touch(0o600)
    except OSError as error:
        raise RecordsError(f"{path} can't be written: {error.strerror}.") from error


def _postgresql_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        pool_pre_ping=True,  # a connection that the server closed is replaced before it is used
        pool_size=10,
        max_overflow=20,
        connect_args={"client_encoding": "UTF8", "connect_timeout": CONNECT_S},
    )

    @event.listens_for(engine, "connect")
    def configure(connection: psycopg.Connection, _record: object) -> None:
        # By default, the server takes disks to be slow to seek, and reads whole tables where an
        # index has the rows; and it compiles large queries, which takes longer than it saves.
        connection.autocommit = True
        connection.execute("SET random_page_cost = 1.1; SET jit = off; SET timezone = 'UTC'")
        connection.autocommit = False

    return engine


def _sqlite_engine(url: URL) -> Engine:
    engine = create_engine(url, connect_args={"timeout": BUSY_S})

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # transactions begin where we begin them
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that turns from reading to writing fails where others have written.
        mode = connection.get_execution_options().get("mode")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if mode == _WRITES else "BEGIN")

    return engine


@contextmanager
def _as_records_error(what: str) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise RecordsError(f"The records can't be {what}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return the reason in words of the user; a message of a database may contain facts."""
    if isinstance(error, RecordsError):
        return str(error).partition(": ")[2] or str(error)
    if isinstance(error, OSError):
        return f"{error.strerror}."
    message = str(error.orig if isinstance(error, DBAPIError) else error).lower()
    for part, reason in _REASONS.items():
        if part in message:
            return reason
    if isinstance(error, OperationalError):
        return "the database can't be reached. Try again later."
    return "the database refused it. The log has the details."


_REASONS = {
    "full": "the disk is full.",
    "no space left": "the disk is full.",
    "disk i/o error": "the disk is full or can't be written.",
    "locked": f"another program has been writing for more than {BUSY_S} seconds.",
    "not a database": "the file is not a database of SQLite.",
    "malformed": "the file is damaged. Restore a backup.",
    "readonly": "the file can't be written.",
    "unable to open": "the file can't be opened.",
    "authentication": "the database refused the user or the password.",
    "does not exist": "the database does not exist, or its tables are missing.",
    "permission denied": "the database refused the access.",
}
