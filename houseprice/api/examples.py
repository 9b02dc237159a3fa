"""Examples of the responses in the OpenAPI document, by operation."""

from __future__ import annotations

from typing import Any

from houseprice import __version__

_VERSION = f"town-{__version__}-3"
_TIMES = {"trained_at": "2026-11-02T09:30:00Z", "valued_at": "2026-11-27T14:05:09Z"}
_METRICS = {"median_error_pct": 4.7, "coverage_90": 0.9}
_TENSORS = {
    "inputs": [{"name": "size", "datatype": "FP64", "shape": [-1]}],
    "outputs": [{"name": "predict", "datatype": "FP64", "shape": [-1]}],
}

EXAMPLES: dict[str, Any] = {
    "valuations": {
        "valuations": [
            {
                "row": 1,
                "reference": "A-17",
                "predicted_price": 208_500.0,
                "price_low": 187_200.0,
                "price_high": 232_100.0,
                "interval": 0.9,
                "fsd": 0.066,
                "confidence": 93.4,
                "as_of": "2026-10-31",
                "facts_given": 24,
                "comparable_ids": None,
                "top_drivers": None,
                "explanation": None,
                "comparables": None,
            },
            None,
        ],
        "errors": [
            {
                "row": 2,
                "reference": "A-18",
                "field": "size",
                "code": "below_limit",
                "severity": "error",
                "message": "Floor area: -5 is below the smallest possible value.",
                "read": "-5",
                "expected": "a number from 10 to 1,000 sq m",
                "fields": [],
            }
        ],
        "notes": [],
        "model_version": _VERSION,
        "as_of": "2026-10-31",
        "valued_at": _TIMES["valued_at"],
        "currency": "EUR",
    },
    "what_if": {
        "before": 208_500.0,
        "after": 221_300.0,
        "delta": 12_800.0,
        "low": 6_100.0,
        "high": 19_500.0,
        "is_clear": True,
        "note": "",
    },
    "effects": {
        "points": [
            {
                "value": 100.0,
                "label": "100 sq m",
                "price": 208_500.0,
                "low": 187_200.0,
                "high": 232_100.0,
                "is_own": True,
                "each": None,
            }
        ]
    },
    "next_facts": {"facts": [{"field": "built", "width_now": 0.31, "width_then": 0.24}]},
    "model": {
        "model_version": _VERSION,
        "package_version": __version__,
        "api_version": "1",
        "market_name": "town",
        "market_title": "A town",
        "contract_sha256": "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef",
        "as_of": "2026-10-31",
        "trained_at": _TIMES["trained_at"],
        "n_sales": 1_460,
        "currency": "EUR",
        "metrics": _METRICS,
        "capabilities": ["comparables", "explain", "range"],
        "study": "complete",
        "max_rows": 10_000,
        "card": {"title": "A town"},
        "card_markdown": "# A town",
    },
    "market": {"market": {"name": "town", "title": "A town"}, "fields": {"size": {"unit": "sq m"}}},
    "importance": [
        {
            "column": "size",
            "label": "Floor area",
            "importance_pct": 8.1,
            "spread_pct": 0.4,
            "importance_money": 15_200.0,
            "spread_money": 700.0,
        }
    ],
    "versions": [
        {
            "model_version": _VERSION,
            "trained_at": _TIMES["trained_at"],
            "n_sales": 1_460,
            "is_answering": True,
            "metrics": _METRICS,
        }
    ],
    "study": {
        "held_out": {"price": [208_500.0], "predicted_price": [201_100.0]},
        "calibration": {},
        "contributions": {},
        "groups": {},
        "fewer": {},
        "chosen": {},
        "interactions": {},
        "samples": {},
        "progress": 0.4,
    },
    "ready": {"ready": True, "reason": "", "model_version": _VERSION},
    "version": {"model_version": _VERSION, "api_version": "1"},
    "markets": [{"name": "town", "title": "A town", "currency": "EUR"}],
    "tutorial_regression": {
        "predictions": [208_500.0, None],
        "version": _VERSION,
        "errors": {"1": {"size": ["Floor area: -5 is below the smallest possible value."]}},
    },
    "tutorial_health": {"name": "houseprice", "api_version": "1", "model_version": _VERSION},
    "tutorial_predict": {"errors": None, "version": _VERSION, "predictions": [208_500.0]},
    "mlflow_invocations": {
        "predictions": [208_500.0, None],
        "errors": [
            {
                "row": 2,
                "field": "size",
                "code": "below_limit",
                "message": "Floor area: -5 is below the smallest possible value.",
            }
        ],
        "model_version": _VERSION,
    },
    "oip_live": {"live": True},
    "oip_ready": {"ready": True},
    "oip_server": {"name": "houseprice", "version": __version__, "extensions": []},
    "oip_metadata": {
        "name": "house",
        "versions": [_VERSION],
        "platform": "houseprice",
        **_TENSORS,
    },
    "oip_config": {
        "name": "house",
        "platform": "houseprice",
        "max_batch_size": 0,
        "input": [{"name": "size", "data_type": "TYPE_FP64", "dims": [-1]}],
        "output": [{"name": "predict", "data_type": "TYPE_FP64", "dims": [-1]}],
    },
    "oip_model_ready": {"name": "house", "ready": True},
    "oip_infer": {
        "model_name": "house",
        "model_version": _VERSION,
        "id": "42",
        "outputs": [
            {"name": "predict", "shape": [1], "datatype": "FP64", "data": [208_500.0]},
        ],
    },
}
