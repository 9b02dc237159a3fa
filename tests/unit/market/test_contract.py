"""The contract: what it gives, and how it refuses."""

import re

import numpy as np
import pandas as pd
import pytest
from markdown_it import MarkdownIt

from houseprice.errors import MarketError
from houseprice.market.contract import load_contract
from houseprice.market.metadata import Limit
from houseprice.market.sales import load_market
from houseprice.market.validation import validate
from tests.hamlet import CONTRACT, write_hamlet


def test_the_embedded_market_describes_every_column_of_its_sales(market):
    header = market.sales_path.read_text(encoding="utf-8").splitlines()[0].split(",")
    own = {market.contract.market.id, market.contract.market.price.column}
    assert [name for name in header if name not in own] == list(market.contract.columns)
    assert len(market.contract.columns) == 79


def test_every_field_of_the_embedded_market_has_a_label_and_a_help(market):
    for field in market.contract.fields.values():
        assert field.label[0].isupper()
        assert " " in field.label or field.label == field.label.capitalize()
        assert len(field.help.split()) >= 3, field.column
        assert all(level.label for level in field.levels)


def test_the_as_of_date_is_the_month_of_the_newest_sale(market):
    roles, as_of = market.contract.market.roles, market.contract.market.as_of
    newest = market.houses[roles.sale_year].max()
    months = market.houses.loc[market.houses[roles.sale_year] == newest, roles.sale_month]
    assert (as_of.year, as_of.month) == (newest, months.max() + 1)


def test_values_are_formatted(contract):
    assert contract.fields["size"].format(1234.5) == "1,234.5 sq m"
    assert contract.fields["beds"].format(1) == "1 bed"
    assert contract.fields["built"].format(1999) == "1999"
    assert contract.fields["grade"].format(2) == "Good"
    assert contract.fields["grade"].format(np.nan) == "not known"


def test_clean_houses_are_decoded_to_codes_and_labels(contract):
    house = dict.fromkeys(contract.columns, 1.0) | {"grade": 3.0, "quarter": np.nan}
    houses = pd.DataFrame([house])
    assert contract.with_codes(houses).loc[0, ["grade", "quarter", "size"]].tolist() == [
        "A",
        None,
        1.0,
    ]
    assert contract.with_labels(houses).loc[0, ["grade", "garden"]].tolist() == ["Grand", "Yes"]


def test_the_hash_is_that_of_the_file_and_the_gate_is_optional(contract, tmp_path):
    other = write_hamlet(tmp_path / "other", CONTRACT + "\n# a remark\n")
    assert load_contract(other).sha256 != contract.sha256
    assert contract.gate is None


def test_the_cells_of_a_house_without_a_component_are_derived_from_the_rules(contract, market):
    assert contract.absences == {"No garden": {"garden": "n", "beds": "0"}}
    assert contract.absences_for("garden_facts_disagree") == ("No garden",)
    assert contract.absences_for("sold_before_built") == ()
    ames = market.contract
    assert ames.absences["No garage"]["GarageYrBlt"] == ""
    for label, cells in ames.absences.items():
        result = validate(pd.DataFrame([cells], dtype=object), ames)
        assert not [problem for problem in result.problems if problem.row and problem.fields], label


@pytest.mark.parametrize(
    ("old", "new", "key", "reason"),
    [
        ('kind = "count"', 'kind = "counts"', "fields.beds.kind", "should be"),
        ("range = [10, 1_000]", "range = [1_000, 10]", "fields.size", "lower below upper"),
        ('group = "house"', 'group = "hose"', "fields.size", "no group 'hose'"),
        ('follows = "built"', 'follows = "bilt"', "fields.boiler", "no field bilt"),
        ('label = "Garden beds"', 'label = "Garden"', "fields", "share the label Garden"),
        ('code = "B"', 'code = "c"', "fields.grade", "same spelling"),
        ("check = ", 'chek = "1"\ncheck = ', "rules.0.chek", "not permitted"),
        ('later = "sold"', 'later = "solt"', "orders.0", "no field solt"),
        ('parts = ["ground floor"]', 'parts = ["grade"]', "wholes.0", "grade must be a numeric"),
        ('absent = { garden = ["n"] }', "", "components.0", "garden has no level NA for absent"),
        ('location = "quarter"', 'location = "size"', "market.roles.location", "field with levels"),
        ('area = "size"', 'area = "sise"', "market.roles.area", "no field sise"),
        ('id = "', 'first_fields = ["sise"]\nid = "', "market.first_fields", "no field sise"),
        ('area = "size"', 'area = "grade"', "market.roles.area", "area must be a numeric field"),
        (
            'sale_month = "month"',
            'sale_month = "sold"',
            "market.roles.sale_month",
            "sale_month must be a field",
        ),
        ('typical_by = "quarter"', 'typical_by = "size"', "fields.beds", "not a field with levels"),
        ("range = [0, 20]", "range = [20, 0]", "fields.beds", "lower below upper"),
        ('sign = "-"', 'sign = "minus"', "derived.age.sign", "should be"),
        (
            'help = "Where it is located."',
            'help = "x"\ntypical_by = "quarter"',
            "fields.quarter",
            "cycle",
        ),
        ('start = "4"', 'start = "9"', "fields.month", "start must be one of"),
        ("absent_when = \"garden == 'n'\"", "absent_when = \"garden == 'x'\"", "fields.beds", "no"),
        ('name = "hamlet"', 'name = "../hamlet"', "market.name", "should match"),
        ('label = "Hill"', 'label = "Hill", at = [52.5, 13.4]', "fields.quarter", "for N, S"),
        (
            'label = "Hill"',
            'label = "Hill", at = [93.6, 13.4]',
            "fields.quarter.levels.2.at.0",
            "90",
        ),
    ],
)
def test_an_invalid_contract_is_an_error_with_file_key_and_reason(tmp_path, old, new, key, reason):
    assert old in CONTRACT
    folder = write_hamlet(tmp_path, CONTRACT.replace(old, new, 1))
    with pytest.raises(MarketError, match=re.escape(reason)) as refused:
        load_contract(folder)
    assert refused.value.file == folder / "market.toml"
    assert refused.value.key == key


def test_fields_that_are_parts_of_another_add_up_to_it(tmp_path):
    text = CONTRACT.replace(
        '[fields."ground floor"]', '[fields."ground floor"]\nparts_of = "size"', 1
    )
    contract = load_contract(write_hamlet(tmp_path, text))
    rows = pd.DataFrame({"size": ["90", "90"], "ground floor": ["90", "60"]})
    problems = validate(rows, contract).problems
    assert [(each.row, each.severity) for each in problems if each.code == "parts_of_size"] == [
        (2, "warning")
    ]


def test_invalid_toml_is_an_error(tmp_path):
    (tmp_path / "market.toml").write_text("[market\n", encoding="utf-8")
    with pytest.raises(MarketError, match="is not valid TOML"):
        load_contract(tmp_path)


def test_a_folder_without_a_market_or_without_sales_is_an_error(tmp_path, market):
    with pytest.raises(MarketError, match=market.folder.name):
        load_market(tmp_path / "nowhere")
    (write_hamlet(tmp_path) / "sales.csv").unlink()
    with pytest.raises(MarketError, match="can't be read"):
        load_market(tmp_path)


def test_sales_without_a_column_of_the_contract_are_an_error(tmp_path):
    file = write_hamlet(tmp_path) / "sales.csv"
    file.write_text(file.read_text(encoding="utf-8").replace(",paid", ",price"), encoding="utf-8")
    with pytest.raises(MarketError, match="paid: this column is missing"):
        load_market(tmp_path)


def test_a_folder_may_have_the_name_of_an_embedded_market(tmp_path, monkeypatch, market):
    write_hamlet(tmp_path / "ames")
    monkeypatch.chdir(tmp_path)
    assert load_market("./ames").contract.market.name == "hamlet"
    assert load_market("ames").contract.market.name == market.contract.market.name


@pytest.mark.parametrize(
    ("limit", "inside", "outside"),
    [
        ({"at_least": 0.88, "at_most": 0.93}, [0.88, 0.93], [0.87, 0.94, np.nan]),
        ({"at_least": 1.0}, [1e9], [np.nan]),
        ({"at_most": 1.0}, [-1e9], [np.nan]),
    ],
)
def test_a_limit_contains_its_ends_and_not_nan(limit, inside, outside):
    assert all(map(Limit(**limit).contains, inside))
    assert not any(map(Limit(**limit).contains, outside))


@pytest.mark.parametrize(
    ("gate", "key", "reason"),
    [
        ("[gate.limits]", "gate.limits", "at least 1 item"),
        ("[gate.limits]\nrmsle = {}", "gate.limits.rmsle", "needs at_least, at_most or both"),
        (
            "[gate.limits]\nrmsle = { at_least = 2, at_most = 1 }",
            "gate.limits.rmsle",
            "at_least is above at_most",
        ),
        ("[gate.limits]\nrmsle = { at_most = nan }", "gate.limits.rmsle.at_most", "finite"),
        ("[gate.limits]\nrmsle = { below = 1 }", "gate.limits.rmsle.below", "not permitted"),
        ("[gate]\nworse_by = -1\n[gate.limits]\nr2 = { at_least = 0 }", "gate.worse_by", "greater"),
    ],
)
def test_an_invalid_gate_is_an_error_with_its_key(tmp_path, gate, key, reason):
    folder = write_hamlet(tmp_path, f"{CONTRACT}\n{gate}\n")
    with pytest.raises(MarketError) as refused:
        load_contract(folder)
    assert refused.value.key == key
    assert reason in refused.value.reason


LINKS = (
    "[Area](http://a.b)", "![x](//a.b/c.png)", "[a][b]\n\n[b]: //a.b", '<a href="//a.b">Area</a>',
    "<ftp://a.b>", "<me@a.bc>", "https://a.b", "WWW.a.bc", "me@a.bc", "http&#58;//a.b",
    r"http\://a.b", r"me\@a.bc",
)  # fmt: skip


@pytest.mark.parametrize("link", LINKS)
def test_no_text_of_a_contract_is_a_link(contract, link):
    texts = {
        "label": link,
        "help": f"See {link}",
        "levels": [{"code": "A", "label": link, "help": link}, "B"],
    }
    field = contract.fields["grade"].replaced(**texts)
    group = contract.groups[0].replaced(title=link, help=link)
    shown = [field.label, field.help, field.levels[0].label, field.levels[0].help, group.title]
    for text in [*shown, group.help]:
        tokens = MarkdownIt("commonmark").parse(text)
        kinds = {each.type for token in tokens for each in [token, *(token.children or ())]}
        assert not kinds & {"link_open", "image", "html_inline", "html_block"}
        read = re.sub(r"<[^>]+>", "", MarkdownIt("commonmark").render(text))
        assert not re.search(r"(https?://|www\.|\w@\w+\.)\w", read, re.IGNORECASE)
    assert field.levels[1].label == "B"
    assert group.replaced(title="Heating & air < 5 [m²] (a_b)").title == (
        "Heating & air < 5 [m²] (a_b)"
    )
