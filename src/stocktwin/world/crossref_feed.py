"""The ERP's list of other systems' names, with its gaps and mistakes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from stocktwin.world.catalogue import gtin13
from stocktwin.world.design import Design
from stocktwin.world.encoding import Columns
from stocktwin.world.identifiers import CROSSREF, MISSING, Aliases, crossref_rows
from stocktwin.world.words import Words, wms_items, wms_parties, wms_sites


def crossref_columns(design: Design, aliases: Aliases, words: Words, tagged: np.ndarray) -> Columns:
    """The `crossref` table of a block: items of the WMS, their aliases as they were entered, tagged items of the
    readers; with the first block also places and units."""
    ours = design.items.item_id
    items = list(zip(wms_items(design), ours, strict=True))
    names = words.items[len(ours) :]
    entered = [(names[k], ours[aliases.entered_item[k]]) for k in np.flatnonzero(aliases.entry != MISSING).tolist()]
    first = design.first_item == 0
    sites = list(wms_sites(design.network).items()) if first else []
    rows = [row for row in crossref_rows("wms", items, sites, entered) if first or row[1] != "unit"]
    rows += [("wms", "party", theirs, mine) for theirs, mine in wms_parties(design.network).items() if first]
    rows += [("rfid", "item", gtin13(design.first_item + k + 1), ours[k]) for k in np.flatnonzero(tagged).tolist()]
    return {name: pa.array([row[k] for row in rows], pa.string()) for k, name in enumerate(CROSSREF)}
