"""The words by which columns of house sales are usually named, and usual values of them."""

from __future__ import annotations


def words(text: str) -> frozenset[str]:
    """Return the words of a text as a set."""
    return frozenset(text.split())


PRICE_ROOTS = ("price", "preis", "prix", "precio", "prezzo", "preço", "цена", "价格", "価格")
"""What names of prices contain in some languages."""
AREA_ROOTS = ("sqft", "fläche", "flaeche", "surface", "superficie", "oppervlakte", "площадь")
DATE_ROOTS = ("datum", "fecha", "дата", "日期")
PRICE = words(
    "price saleprice soldprice pricepaid sellingprice purchaseprice paid preis prix precio"
)
RENT = words("rent rents rental monthlyrent netrent grossrent miete kaltmiete warmmiete loyer huur")
"""Names of the price in a file of lettings."""
VALUE = words(
    "value valeur valor amount cost consideration medv mv hoval homevalue housevalue medianvalue"
)
"""Names of the price where nothing is named like a price."""
NOT_PRICE = words(
    "log ln list listing listprice asking ask assessed tax estimate estimated previous prior last "
    "original orig first initial starting reserve index deflated real per unit psf"
)
VALUATIONS = words(
    "assessed assessment avalue appraised appraisal valuation estimate zestimate asking listing "
    "askingprice listprice taxable landvalue value totalvalue marketvalue buildingvalue av rv"
)
VALUATION_ROOTS = ("assess", "apprais", "valuation", "estimate", "askingp", "listp", "origp")
"""What names of asking prices and assessed values contain."""
AREA = words(
    "tla gla livingarea sqftliving grlivarea floorarea livingsqft sqft squarefeet buildingarea "
    "living area size m2 sqm housesize surface totalfloorarea floorsize homesize finishedsqft "
    "housearea squarefootage totalsqft wohnflaeche sqrft sqfeet sft"
)
NOT_AREA = words(
    "lot land plot basement bsmt above garage pool porch deck frontage code name id garden parcel "
    "site lotsize lotarea landarea terrain terreno terrace balcony 15 neighbourhood neighborhood "
    "number location second first"
)
PLACES = words(
    "zip zipcode postcode postal postalcode suburb district neighbourhood neighborhood nbhd nbh "
    "nbhood quarter borough municipality council councilarea ward city town townid townno region "
    "regionname county bezirk arrondissement kommune village tract commune comuna gemeinde ort plz "
    "stadtteil areaname locality location township province state barrio"
)
TEXTS = words("address street streetname remarks description comment comments url link")
KEYS = words(
    "id identifier uid guid uuid key pid parcel parcelid apn no number nr saleid deed order index "
    "propertyid account transactionid parid parcelnumber unnamed rownames"
)
DATES = words(
    "date sdate saledate solddate sold closing closed transactiondate transaction dateofsale "
    "datesold datum kaufdatum deeddate"
)
MONTHS = words("month mo mosold monthsold salemonth monat mois")
AT_SALE = words(
    "saletype salecondition mutation method seller sellerg buyer agent agency dom daysonmarket "
    "financing mortgage deedtype deed"
)
BUILT = words("built build yrbuilt yearbuilt construction constructed baujahr")
RENOVATED = words("renovated renovation remod remodeled remodelled remodel modernised")
YEARS = BUILT | RENOVATED | words("year yr")
LATITUDE = words("lat latitude lattitude")
LONGITUDE = words("lon lng long longitude longtitude")
Y = words("y ycoord northing coordy")
X = words("x xcoord easting coordx")
QUALITY = words("quality qual grade condition cond overallqual overallquality")

NO = words("0 n no f false none nein non absent without")
YES = words("1 y yes t true ja oui si present with")
SCALES = (
    "po fa ta gd ex",
    "poor fair average good excellent",
    "poor fair typical good excellent",
    "verypoor poor fair average good verygood excellent",
    "verylow low medium high veryhigh",
    "low average high",
    "bad fair good verygood",
    "unfurnished semifurnished furnished",
    "g f e d c b a",
)
"""Usual scales, from worst to best."""
SENTINELS = (-999.0, -99.0, -9.0, -1.0, 999.0, 9999.0, 99999.0, 999999.0)
"""Numbers that mean "unknown" if they are far beyond all others."""
CURRENCIES = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₫": "VND", "NT$": "TWD"}
"""Codes of currencies by the sign that usually means one of them."""
SIGNS = r"NT\$|[$€£¥₫₹₩₽]|\b(?:kr|CHF|zł)\b"
"""Signs of currencies in cells."""
