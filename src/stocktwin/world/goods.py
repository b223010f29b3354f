"""What a mid-market distributor of medical and industrial goods carries: families and their words. Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Family:
    """One category. `cost` is the median cost of a base unit (USD), `medical` items expire and may be critical,
    `season` is the day of the year of its peak (0 = none)."""

    prefix: str
    category: str
    nouns: tuple[str, ...]
    variants: tuple[str, ...]
    sizes: tuple[str, ...]
    cost: float
    unit: str = "each"
    medical: bool = False
    season: int = 0


FAMILIES: Final = (
    Family("GLV", "gloves and protective wear", ("Nitrile exam gloves", "Latex surgical gloves", "Isolation gown",
           "Face shield", "Respirator N95", "Shoe covers"), ("blue", "white", "powder-free", "long cuff"),
           ("S", "M", "L", "XL"), 7.5, medical=True, season=20),
    Family("WND", "wound care", ("Gauze swab", "Foam dressing", "Hydrocolloid dressing", "Adhesive bandage",
           "Elastic bandage", "Wound closure strips"), ("sterile", "non-sterile", "waterproof", "silicone border"),
           ("5x5 cm", "10x10 cm", "10x20 cm", "15x15 cm"), 3.2, medical=True),
    Family("SYR", "syringes and needles", ("Luer-lock syringe", "Luer-slip syringe", "Insulin syringe",
           "Hypodermic needle", "Safety needle", "Blood collection set"), ("sterile", "low dead space", "amber",
           "graduated"), ("1 ml", "5 ml", "10 ml", "21G", "25G"), 1.1, medical=True),
    Family("INF", "infusion", ("IV administration set", "Extension line", "Infusion pump cassette", "Cannula",
           "Three-way stopcock", "Sodium chloride 0.9 %"), ("standard", "with filter", "DEHP-free", "high pressure"),
           ("18G", "20G", "22G", "250 ml", "500 ml"), 6.0, medical=True),
    Family("DGN", "diagnostics", ("Glucose test strips", "Pregnancy test", "Influenza antigen test", "Urine strips",
           "Pulse oximeter sensor", "Lancets"), ("point of care", "professional", "single use", "CLIA waived"),
           ("box of 25", "box of 50", "box of 100"), 14.0, medical=True, season=20),
    Family("RSP", "respiratory", ("Oxygen mask", "Nasal cannula", "Nebuliser kit", "Ventilator circuit",
           "Tracheal tube", "Humidifier bottle"), ("adult", "paediatric", "infant", "heated"),
           ("standard", "7.0 mm", "8.0 mm", "2 m", "3 m"), 5.5, medical=True, season=20),
    Family("SRG", "surgical instruments", ("Scalpel", "Needle holder", "Haemostatic forceps", "Bone saw blade",
           "Laparoscopic trocar", "Retractor"), ("stainless", "titanium", "tungsten carbide", "single use"),
           ("No. 10", "No. 15", "140 mm", "180 mm"), 46.0, medical=True),
    Family("DIS", "disinfection", ("Surface disinfectant", "Hand rub", "Instrument cleaner", "Peracetic acid",
           "Enzymatic detergent"), ("concentrate", "ready to use", "fragrance-free"), ("bulk", "tank", "drum"), 4.2,
           unit="litre", medical=True),
    Family("LAB", "laboratory consumables", ("Pipette tips", "Centrifuge tubes", "Petri dish", "Cryovials",
           "Microplate", "Filter paper"), ("sterile", "low retention", "graduated", "racked"),
           ("10 µl", "200 µl", "1000 µl", "15 ml", "50 ml"), 11.0),
    Family("FST", "fasteners", ("Hex bolt", "Socket screw", "Lock nut", "Washer", "Threaded rod", "Anchor"),
           ("zinc plated", "A2 stainless", "A4 stainless", "grade 8.8"), ("M6", "M8", "M10", "M12", "M16"), 0.35),
    Family("BRG", "bearings and drives", ("Deep groove ball bearing", "Tapered roller bearing", "V-belt",
           "Timing belt", "Shaft coupling", "Pillow block"), ("sealed", "open", "C3 clearance", "heavy duty"),
           ("20 mm", "25 mm", "35 mm", "50 mm"), 24.0),
    Family("ELC", "electrical", ("Circuit breaker", "Contactor", "Proximity sensor", "Power supply", "Terminal block",
           "Cable gland"), ("IP67", "DIN rail", "UL listed", "compact"), ("10 A", "16 A", "24 V", "63 A"), 28.0),
    Family("FLT", "filtration", ("HEPA filter", "Hydraulic filter", "Air filter panel", "Compressed-air filter",
           "Water filter cartridge"), ("high flow", "pleated", "activated carbon", "H13"),
           ("10 in", "20 in", "400 mm", "600 mm"), 32.0, season=190),
    Family("LUB", "lubricants", ("Bearing grease", "Assembly paste", "Chain grease", "Food-grade grease"),
           ("lithium EP2", "NSF H1", "high temperature", "molybdenum"), ("keg", "drum", "pail"), 9.5,
           unit="kilogram"),
    Family("TLS", "hand tools", ("Torque wrench", "Screwdriver set", "Utility knife", "Pipe cutter", "Tape measure",
           "Safety lock-out kit"), ("insulated", "professional", "compact", "chrome vanadium"),
           ("1/4 in", "3/8 in", "1/2 in", "5 m"), 19.0),
)  # fmt: skip

UNIT_SHARE: Final = 0.02
"""Share of the items that each family measured in kilograms or litres gets; the others share the rest equally."""
