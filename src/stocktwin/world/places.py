"""Real places of the world's firm, as data: distribution centres, sea ports and suppliers. A profile takes the first
few of each. Coordinates are those of the cities and harbours, to about a kilometre."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

EARTH_RADIUS_KM: Final = 6371.0
Season = tuple[int, int, float]
"""First and last day of the year of a congested season, and how much longer everything takes in it."""


@dataclass(frozen=True)
class Place:
    """One location. `short` goes into document numbers. `share` is a DC's weight in national demand, a supplier's in
    what is bought. A supplier makes goods in `make_days`; from overseas they reach ports of `coast` in `sea_days`."""

    location_id: str
    short: str
    name: str
    kind: str
    latitude: float
    longitude: float
    timezone: str
    region: str = ""
    share: float = 0.0
    storage_capacity_m3: float | None = None
    coast: str = ""
    make_days: int = 0
    sea_days: float = 0.0
    season: Season | None = None


def distance_km(a: Place, b: Place) -> float:
    """Great-circle distance (haversine).

    >>> round(distance_km(SMALL_DCS[2], SMALL_DCS[1]), -1)
    1130.0
    """
    lat_a, lat_b = np.radians([a.latitude, b.latitude])
    half_lat, half_lon = (lat_b - lat_a) / 2, np.radians(b.longitude - a.longitude) / 2
    h = np.sin(half_lat) ** 2 + np.cos(lat_a) * np.cos(lat_b) * np.sin(half_lon) ** 2
    return float(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(h)))


EAST, INDIANA, DETROIT = "America/New_York", "America/Indiana/Indianapolis", "America/Detroit"
CENTRAL, MOUNTAIN, ARIZONA, PACIFIC = "America/Chicago", "America/Denver", "America/Phoenix", "America/Los_Angeles"
CUBIC_METRES: Final = 2_000.0
"""Storage of a DC per unit of its weight."""


def _dc(short: str, city: str, latitude: float, longitude: float, timezone: str, region: str, share: float,
        capacity: float | None = None) -> Place:  # fmt: skip
    name = city.upper().replace(".", "").replace(" ", "-")
    return Place(f"DC-{name}", short, f"{city} distribution centre", "dc", latitude, longitude, timezone, region, share,
                 capacity or share * CUBIC_METRES)  # fmt: skip


SMALL_DCS: Final = (
    _dc("ATL", "Atlanta", 33.7490, -84.3880, EAST, "Southeast", 0.25, 16_000.0),
    _dc("CHI", "Chicago", 41.8781, -87.6298, CENTRAL, "Midwest", 0.27, 18_000.0),
    _dc("EWR", "Newark", 40.7357, -74.1724, EAST, "Northeast", 0.30, 20_000.0),
    _dc("RNO", "Reno", 39.5296, -119.8138, PACIFIC, "West", 0.18, 12_000.0),
)
"""Four DCs that share the whole country between them."""

NATIONAL_DCS: Final = (
    _dc("ATL", "Atlanta", 33.7490, -84.3880, EAST, "Southeast", 11),
    _dc("CHI", "Chicago", 41.8781, -87.6298, CENTRAL, "Midwest", 12),
    _dc("EWR", "Newark", 40.7357, -74.1724, EAST, "Northeast", 20),
    _dc("RNO", "Reno", 39.5296, -119.8138, PACIFIC, "West", 3),
    _dc("DFW", "Dallas", 32.7767, -96.7970, CENTRAL, "South Central", 11),
    _dc("ONT", "Ontario", 34.0633, -117.6509, PACIFIC, "West", 18),
    _dc("SEA", "Seattle", 47.6062, -122.3321, PACIFIC, "Northwest", 6),
    _dc("DEN", "Denver", 39.7392, -104.9903, MOUNTAIN, "Mountain", 5),
    _dc("MIA", "Miami", 25.7617, -80.1918, EAST, "Southeast", 8),
    _dc("MDT", "Harrisburg", 40.2732, -76.8867, EAST, "Mid-Atlantic", 6),
    _dc("MEM", "Memphis", 35.1495, -90.0490, CENTRAL, "South", 4),
    _dc("MSP", "Minneapolis", 44.9778, -93.2650, CENTRAL, "Plains", 6),
    # medium ends here
    _dc("BOS", "Boston", 42.3601, -71.0589, EAST, "Northeast", 8),
    _dc("PHL", "Philadelphia", 39.9526, -75.1652, EAST, "Mid-Atlantic", 7),
    _dc("BWI", "Baltimore", 39.2904, -76.6122, EAST, "Mid-Atlantic", 7),
    _dc("RIC", "Richmond", 37.5407, -77.4360, EAST, "Mid-Atlantic", 4),
    _dc("CLT", "Charlotte", 35.2271, -80.8431, EAST, "Southeast", 6),
    _dc("RDU", "Raleigh", 35.7796, -78.6382, EAST, "Southeast", 4),
    _dc("JAX", "Jacksonville", 30.3322, -81.6557, EAST, "Southeast", 3),
    _dc("MCO", "Orlando", 28.5384, -81.3789, EAST, "Southeast", 5),
    _dc("TPA", "Tampa", 27.9506, -82.4572, EAST, "Southeast", 5),
    _dc("BNA", "Nashville", 36.1627, -86.7816, CENTRAL, "South", 4),
    _dc("BHM", "Birmingham", 33.5186, -86.8104, CENTRAL, "South", 3),
    _dc("MSY", "New Orleans", 29.9511, -90.0715, CENTRAL, "South", 3),
    _dc("SDF", "Louisville", 38.2527, -85.7585, EAST, "Midwest", 3),
    _dc("CMH", "Columbus", 39.9612, -82.9988, EAST, "Midwest", 5),
    _dc("CVG", "Cincinnati", 39.1031, -84.5120, EAST, "Midwest", 3),
    _dc("IND", "Indianapolis", 39.7684, -86.1581, INDIANA, "Midwest", 4),
    _dc("DTW", "Detroit", 42.3314, -83.0458, DETROIT, "Midwest", 6),
    _dc("PIT", "Pittsburgh", 40.4406, -79.9959, EAST, "Mid-Atlantic", 4),
    _dc("BUF", "Buffalo", 42.8864, -78.8784, EAST, "Northeast", 3),
    _dc("ALB", "Albany", 42.6526, -73.7562, EAST, "Northeast", 2),
    _dc("STL", "St. Louis", 38.6270, -90.1994, CENTRAL, "Plains", 4),
    _dc("MCI", "Kansas City", 39.0997, -94.5786, CENTRAL, "Plains", 4),
    _dc("OMA", "Omaha", 41.2565, -95.9345, CENTRAL, "Plains", 2),
    _dc("DSM", "Des Moines", 41.5868, -93.6250, CENTRAL, "Plains", 2),
    _dc("MKE", "Milwaukee", 43.0389, -87.9065, CENTRAL, "Midwest", 3),
    _dc("IAH", "Houston", 29.7604, -95.3698, CENTRAL, "South Central", 9),
    _dc("SAT", "San Antonio", 29.4241, -98.4936, CENTRAL, "South Central", 5),
    _dc("OKC", "Oklahoma City", 35.4676, -97.5164, CENTRAL, "South Central", 3),
    _dc("ABQ", "Albuquerque", 35.0844, -106.6504, MOUNTAIN, "Mountain", 2),
    _dc("PHX", "Phoenix", 33.4484, -112.0740, ARIZONA, "Mountain", 6),
    _dc("SLC", "Salt Lake City", 40.7608, -111.8910, MOUNTAIN, "Mountain", 3),
    _dc("PDX", "Portland", 45.5152, -122.6784, PACIFIC, "Northwest", 4),
    _dc("SMF", "Sacramento", 38.5816, -121.4944, PACIFIC, "West", 5),
)
"""Shares: the millions of people each is nearest to, roughly."""


def _port(name: str, short: str, text: str, latitude: float, longitude: float, timezone: str, coast: str,
          season: Season) -> Place:  # fmt: skip
    return Place(f"PORT-{name}", short, text, "port", latitude, longitude, timezone, coast=coast, season=season)


PORTS: Final = (
    _port("LALB", "LAX", "Ports of Los Angeles and Long Beach", 33.7395, -118.2610, PACIFIC, "west", (212, 288, 1.25)),
    _port("NYNJ", "NYC", "Port of New York and New Jersey", 40.6840, -74.1470, EAST, "east", (15, 60, 1.10)),
    _port("SAVANNAH", "SAV", "Port of Savannah", 32.1280, -81.1400, EAST, "east", (220, 280, 1.15)),
    _port("HOUSTON", "HOU", "Port of Houston", 29.7355, -95.2680, CENTRAL, "gulf", (200, 260, 1.10)),
    # medium ends here
    _port("SEATAC", "TIW", "Ports of Seattle and Tacoma", 47.2690, -122.4140, PACIFIC, "west", (212, 288, 1.15)),
    _port("OAKLAND", "OAK", "Port of Oakland", 37.7955, -122.2790, PACIFIC, "west", (212, 288, 1.15)),
    _port("VIRGINIA", "ORF", "Port of Virginia, Norfolk", 36.9466, -76.3300, EAST, "east", (20, 70, 1.08)),
    _port("CHARLESTON", "CHS", "Port of Charleston", 32.7876, -79.9285, EAST, "east", (225, 275, 1.12)),
)
SEA_EXTRA: Final = {
    ("west", "west"): 0.0, ("west", "east"): 11.0, ("west", "gulf"): 9.0,
    ("east", "east"): 0.0, ("east", "gulf"): 4.0, ("east", "west"): 14.0,
}  # fmt: skip
"""(coast a supplier ships to, coast of the port) → days more: Panama, Florida."""


def _supplier(city: str, short: str, name: str, latitude: float, longitude: float, timezone: str, make_days: int,
              share: float, coast: str = "", sea_days: float = 0.0) -> Place:  # fmt: skip
    return Place(f"SUP-{city}", short, name, "supplier", latitude, longitude, timezone, share=share, coast=coast,
                 make_days=make_days, sea_days=sea_days)  # fmt: skip


BERLIN, SHANGHAI, INDIA = "Europe/Berlin", "Asia/Shanghai", "Asia/Kolkata"

SUPPLIERS: Final = (
    _supplier("CLEVELAND", "CLE", "Great Lakes Supply, Cleveland OH", 41.4993, -81.6944, EAST, 2, 0.45),
    _supplier("HAMBURG", "HAM", "Hanse Medizintechnik, Hamburg", 53.5461, 9.9661, BERLIN, 12, 0.25, "east", 14.0),
    _supplier("SHANGHAI", "SHA", "Pudong Industrial Trading, Shanghai", 31.2304, 121.4737, SHANGHAI, 13, 0.30, "west",
              20.0),
    _supplier("MONTERREY", "MTY", "Regia Componentes, Monterrey", 25.6866, -100.3161, "America/Monterrey", 3, 0.20),
    _supplier("SHENZHEN", "SZX", "Yantian Precision, Shenzhen", 22.5431, 114.0579, SHANGHAI, 13, 0.20, "west", 22.0),
    _supplier("PENANG", "PEN", "Straits Glove Works, Penang", 5.4141, 100.3288, "Asia/Kuala_Lumpur", 14, 0.15, "west",
              27.0),
    _supplier("CHENNAI", "MAA", "Coromandel Pharma Packs, Chennai", 13.0827, 80.2707, INDIA, 14, 0.12, "east", 28.0),
    _supplier("GRAND-RAPIDS", "GRR", "Furniture City Medical, Grand Rapids MI", 42.9634, -85.6681, DETROIT, 2, 0.20),
    # medium ends here
    _supplier("GREENVILLE", "GSP", "Piedmont Nonwovens, Greenville SC", 34.8526, -82.3940, EAST, 2, 0.20),
    _supplier("TOLEDO", "TOL", "Maumee Fasteners, Toledo OH", 41.6528, -83.5379, EAST, 2, 0.15),
    _supplier("WICHITA", "ICT", "Arkansas River Tooling, Wichita KS", 37.6872, -97.3301, CENTRAL, 3, 0.12),
    _supplier("PROVO", "PVU", "Wasatch Diagnostics, Provo UT", 40.2338, -111.6585, MOUNTAIN, 2, 0.15),
    _supplier("ROCHESTER", "ROC", "Genesee Optics and Labs, Rochester NY", 43.1566, -77.6088, EAST, 3, 0.12),
    _supplier("FRESNO", "FAT", "San Joaquin Filtration, Fresno CA", 36.7378, -119.7871, PACIFIC, 2, 0.12),
    _supplier("TULSA", "TUL", "Cherokee Lubricants, Tulsa OK", 36.1540, -95.9928, CENTRAL, 2, 0.12),
    _supplier("YORK", "THV", "Susquehanna Devices, York PA", 39.9626, -76.7277, EAST, 2, 0.15),
    _supplier("NINGBO", "NGB", "Beilun Electric, Ningbo", 29.8683, 121.5440, SHANGHAI, 13, 0.15, "west", 20.0),
    _supplier("SAIGON", "SGN", "Cat Lai Apparel, Ho Chi Minh City", 10.8231, 106.6297, "Asia/Ho_Chi_Minh", 7, 0.12,
              "west", 25.0),
    _supplier("BUSAN", "PUS", "Gaya Medical, Busan", 35.1796, 129.0756, "Asia/Seoul", 12, 0.10, "west", 17.0),
    _supplier("YOKOHAMA", "YOK", "Kanagawa Instruments, Yokohama", 35.4437, 139.6380, "Asia/Tokyo", 12, 0.10, "west",
              16.0),
    _supplier("KAOHSIUNG", "KHH", "Formosa Bearings, Kaohsiung", 22.6273, 120.3014, "Asia/Taipei", 13, 0.10, "west",
              19.0),
    _supplier("ROTTERDAM", "RTM", "Maasvlakte Chemie, Rotterdam", 51.9244, 4.4777, "Europe/Amsterdam", 12, 0.12, "east",
              13.0),
    _supplier("GENOA", "GOA", "Ligure Strumenti, Genoa", 44.4056, 8.9463, "Europe/Rome", 12, 0.08, "east", 17.0),
    _supplier("MUMBAI", "BOM", "Nhava Generics, Mumbai", 19.0760, 72.8777, INDIA, 14, 0.12, "east", 26.0),
)  # fmt: skip
"""Days at sea, with waiting to load: liner schedules of 2024, rounded. No `coast`: by road."""
