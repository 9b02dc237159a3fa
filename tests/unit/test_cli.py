"""The command line: exit status, results on standard output, messages on standard error."""

import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest

import houseprice
from houseprice import logs
from houseprice.backend.base import VALUATION_COLUMNS
from houseprice.commands.console import Console
from houseprice.market.sales import read_rows

pytestmark = pytest.mark.usefixtures("fresh_logs", "surroundings")

HEAVY = {"joblib", "numpy", "pandas", "plotly", "pydantic", "sklearn", "streamlit"}


def process(root: Path, *arguments: object, **kwargs) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in a process of its own."""
    command = [sys.executable, "-m", "houseprice", *map(str, arguments)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False, **kwargs)


@pytest.fixture
def houses(place):
    return place / "hamlet" / "to_value.csv"


@pytest.fixture
def invalid(tmp_path, houses):
    """Three houses: one valid, one with an unknown level, one without its floor area."""
    rows = read_rows(houses).head(3).assign(remark=["=1+1", "ä", "x,y"])
    rows.loc[1, "quarter"] = "Z"
    rows.loc[2, "size"] = ""
    path = tmp_path / "invalid.csv"
    rows.to_csv(path, index=False)
    return path


# Around all commands


def test_help_names_every_command_and_loads_nothing_heavy(run, root):
    shown = run("--help")
    assert shown.code == 0
    for command in ("fetch", "train", "evaluate", "predict", "app", "models"):
        assert f"\u2502 {command} " in shown.out
    code = "import sys, houseprice.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True
    )
    assert HEAVY & set(loaded.stdout.split()) == set()


def test_the_version_is_printed(run):
    result = run("--version")
    version = f"houseprice {houseprice.__version__}\n"
    assert (result.code, result.out, result.err) == (0, version, "")


@pytest.mark.parametrize(
    "arguments",
    [
        ["unknown"],
        ["--unknown"],
        ["predict"],
        ["predict", "no such file.csv"],
        ["predict", "."],
        ["evaluate", "--folds", "1"],
        ["evaluate", "--data", "no such file.csv"],
        ["train", "--seed", "-1"],
        ["models", "activate"],
        ["app", "--port", "99999"],
    ],
    ids=" ".join,
)
def test_a_usage_error_exits_with_2_and_a_message_on_standard_error(run, arguments):
    result = run(*arguments)
    assert (result.code, result.out) == (2, "")
    assert "Error" in result.err


@pytest.mark.parametrize("interval", ["0.4", "0.96", "90", "nan", "wide"])
def test_an_interval_outside_50_to_95_percent_is_a_usage_error(run, houses, interval):
    assert run("predict", houses, "--interval", interval).code == 2


def test_an_invalid_setting_is_a_usage_error(run, monkeypatch):
    monkeypatch.setenv("HOUSEPRICE_MAX_ROWS", "many")
    result = run("models")
    assert result.code == 2
    assert "HOUSEPRICE_MAX_ROWS" in result.err


def test_a_failure_is_one_sentence_and_exit_1(root):
    failed = process(root, "train", env={**os.environ, "HOUSEPRICE_MARKET": "atlantis"})
    assert (failed.returncode, failed.stdout) == (1, "")
    (line,) = failed.stderr.splitlines()
    assert line.startswith("Error: atlantis: no market there")


def test_verbose_shows_the_traceback_of_a_failure(run, monkeypatch):
    monkeypatch.setenv("HOUSEPRICE_MARKET", "atlantis")
    result = run("--verbose", "train")
    assert result.code == 1
    assert "Traceback" in result.err


def test_messages_can_be_json(run, trained, houses):
    result = run("--log-json", "predict", houses)
    lines = [json.loads(line) for line in result.err.splitlines()]
    assert {"rows": 20, "errors": 0}.items() <= lines[-1].items()
    assert run("--log-json", "models", "activate", "x").err.startswith('{"time": ')


# train, evaluate, models


def test_train_stores_the_active_model_and_prints_its_metrics(run, place, root):
    result = run("train", "--json")
    assert result.code == 0
    manifest = json.loads(result.out)
    assert manifest["market_name"] == "hamlet"
    assert manifest["metrics"]["median_ape"] < 0.2
    (active,) = [line for line in run("models").out.splitlines() if line.startswith("*")]
    assert f"{manifest['model_version']} " in active

    as_text = run("train", "--seed", "1")
    assert "Median absolute error" in as_text.out
    assert "is active. It was trained on 150 sales" in as_text.err


def test_progress_without_bars_is_a_line_at_intervals(capsys):
    logs.configure()
    with Console(quiet=False, bars=False, interval_s=0).progress("Reading") as report:
        report(0.5, "Learning")
    with Console(quiet=False, bars=False).progress("Reading") as report:
        report(0.5, "Too early")
    with Console(quiet=True, bars=True, interval_s=0).progress("Reading") as report:
        report(0.5, "Suppressed")
    assert capsys.readouterr() == ("", "Learning (50%)\n")


def test_a_progress_bar_stays_out_of_the_results(capsys):
    with Console(quiet=False, bars=True).progress("Reading") as report:
        report(0.5, "Learning")
    assert capsys.readouterr().out == ""


def test_models_are_listed_activated_and_rolled_back(run, trained):
    assert run("train", "--quiet").code == 0
    listed = json.loads(run("models", "--json").out)
    names = [each["model_version"] for each in listed]
    assert [each["active"] for each in listed] == [False] * (len(names) - 1) + [True]
    assert listed[-1]["usable"]
    assert listed[-1]["manifest"]["rows"] == 150
    assert run("models", "rollback").out == f"{names[-2]} is active.\n"
    assert run("models", "activate", names[-1]).out == f"{names[-1]} is active.\n"
    shown = run("models").out.splitlines()
    assert [line.startswith("* ") for line in shown] == [each["active"] for each in listed]


def test_without_a_model_the_list_says_what_to_do(run, monkeypatch, tmp_path):
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path / "none"))
    result = run("models")
    assert result.code == 0
    assert "Train one: houseprice train" in result.out
    assert json.loads(run("models", "--json").out) == []
    failed = run("models", "rollback")
    assert (failed.code, failed.out) == (1, "")


def test_a_damaged_version_is_listed_with_its_error(run, trained, monkeypatch, tmp_path):
    monkeypatch.setenv("HOUSEPRICE_MODEL_DIR", str(tmp_path))
    broken = tmp_path / "hamlet-0.1.0-1"
    broken.mkdir()
    (broken / "manifest.json").write_text("{}", encoding="utf-8")
    assert "damaged or was changed" in run("models").out
    (entry,) = json.loads(run("models", "--json").out)
    assert (entry["usable"], entry["manifest"]) == (False, None)
    assert run("models", "activate", broken.name).code == 1


# predict


def test_every_row_is_written_once_with_the_input_columns_first(
    run, trained, invalid, houses, tmp_path
):
    output = tmp_path / "out.csv"
    result = run("predict", invalid, "-o", output, "--interval", "0.8")
    assert (result.code, result.out) == (0, "")
    rows, valued = read_rows(invalid), read_rows(output)
    assert list(valued.columns) == [*rows.columns, *VALUATION_COLUMNS, "as_of"]
    pd.testing.assert_frame_equal(valued[rows.columns], rows)
    assert valued["row"].tolist() == ["1", "2", "3"]
    assert valued["status"].isin(["ok", "warning"]).tolist() == [True, False, False]
    assert valued["predicted_price"].eq("").tolist() == [False, True, True]
    assert valued["interval"][0] == "0.8"
    low, price, high = valued.loc[0, ["price_low", "predicted_price", "price_high"]].astype(float)
    assert low < price < high
    assert "3 rows:" in result.err
    assert "2 with an error and no value" in result.err
    assert "  required: 1" in result.err
    assert run("predict", invalid, "-o", output, "--strict").code == 1
    assert len(read_rows(output)) == 3
    assert run("predict", houses, "-o", output, "--strict").code == 0


def test_without_an_output_the_table_goes_to_standard_output(run, trained, houses):
    result = run("predict", houses, "--quiet")
    assert (result.code, result.err) == (0, "")
    table = pd.read_csv(StringIO(result.out))
    assert len(table) == 20
    assert table["predicted_price"].between(1_000, 5_000_000).all()


def test_quiet_shows_errors(run, trained, tmp_path):
    (tmp_path / "empty.csv").touch()
    result = run("predict", tmp_path / "empty.csv", "--quiet")
    assert (result.code, result.out, result.err) == (1, "", "Error: empty.csv is empty.\n")


@pytest.mark.parametrize("way", ["itself", "symlink", "hardlink", "relative"])
def test_the_input_is_never_overwritten(run, invalid, tmp_path, monkeypatch, way):
    before = invalid.read_bytes()
    output = tmp_path / "other.csv"
    if way == "itself":
        output = invalid
    elif way == "symlink":
        output.symlink_to(invalid)
    elif way == "hardlink":
        output.hardlink_to(invalid)
    else:
        monkeypatch.chdir(tmp_path)
        output = Path("..") / tmp_path.name / invalid.name
    result = run("predict", invalid, "-o", output)
    assert result.code == 2
    assert "never" in result.err
    assert invalid.read_bytes() == before


@pytest.mark.parametrize("output", [".", "no such folder/out.csv", os.devnull])
def test_an_output_that_cannot_be_a_file_is_refused_before_any_work(run, houses, output):
    assert run("predict", houses, "-o", output).code == 2


def test_an_output_is_unchanged_if_the_work_fails(run, trained, tmp_path):
    bad, output = tmp_path / "bad.csv", tmp_path / "out.csv"
    bad.write_bytes(b"size\n")
    output.write_bytes(b"old")
    assert run("predict", bad, "-o", output).code == 1
    assert output.read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "out.csv"]


def test_predict_trains_a_model_first_if_there_is_none(root, houses, tmp_path):
    folder = {"HOUSEPRICE_MODEL_DIR": str(tmp_path / "models")}
    done = process(root, "predict", houses, env={**os.environ, **folder})
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 21
    assert (tmp_path / "models" / "active").is_file()
    assert "Traceback" not in done.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has such a device")
@pytest.mark.parametrize(
    ("arguments", "output", "message"),
    [
        ("--version", ">/dev/full", "The output can't be written (No space left on device)."),
        ("predict {}", ">/dev/full", "The output can't be written (No space left on device)."),
        ("predict {}", ">&-", "Standard output is closed. Name a file for the result with -o."),
    ],
)
def test_an_output_that_cannot_be_written_is_a_failure_in_one_line(
    root, trained, houses, arguments, output, message
):
    command = f"exec {sys.executable} -m houseprice {arguments.format(houses)} {output}"
    done = subprocess.run(
        ["sh", "-c", command], cwd=root, stderr=subprocess.PIPE, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(message)
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_no_traceback(root, trained, houses):
    command = [sys.executable, "-m", "houseprice", "predict", str(houses)]
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            command, cwd=root, stdout=writer, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writer)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr


# app


@pytest.mark.skipif(os.name != "posix", reason="the stand-in is a shell script")
def test_app_replaces_itself_by_the_server_at_the_requested_port(root, tmp_path):
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@" "$PORT" "$HOUSEPRICE_ADDRESS" $$\n', encoding="utf-8")
    python.chmod(0o755)
    code = (
        "import sys; from houseprice.cli import main; "
        "sys.executable = sys.argv[1]; main(sys.argv[2:])"
    )

    def start(*options: str, **more: str) -> list[str]:
        with subprocess.Popen(
            [sys.executable, "-c", code, str(python), "app", *options],
            cwd=root,
            env={**os.environ, **more},
            stdout=subprocess.PIPE,
            text=True,
        ) as app:
            output = app.communicate()[0].split()
            assert output.pop() == str(app.pid)  # signals reach the server
        return output

    server = ["-m", "houseprice.ui.server"]
    assert start() == [*server, "8501", "127.0.0.1"]
    assert start("--with-api") == [*server, "--with-api", "8501", "127.0.0.1"]
    assert start(PORT="7000") == [*server, "7000", "127.0.0.1"]
    chosen = start("--port", "7001", "--address", "127.0.0.2", PORT="7000")
    assert chosen == [*server, "7001", "127.0.0.2"]
