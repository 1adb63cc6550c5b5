"""Keys and long help of the Data screen."""

from typing import Final

from tui.registry import Entry

HELP_TEXT: Final = (
    "A calibration as a picture: all detectors where they lie on the focal plane, or one detector as it is read "
    "out. Each colour is the mean of a block of pixels; the scale below has its numbers. An X marks amplifiers "
    "(or detectors with amplifiers) that failed a test of the newest verification of exactly this product."
    "\n\n"
    "Look for stripes, steps between amplifiers, bright or dark edges and blocks, and for anything that was not "
    "there before: D subtracts what is in use now, or the attempt before where this is in use itself. White is "
    "no difference, blue is lower, orange is higher."
    "\n\n"
    "The arrows move over detectors or amplifiers, whose numbers stand below the picture: median, and its "
    "distance from the median of all amplifiers in robust sigma. Enter shows the detector under the cursor, q "
    "goes back. z changes which values are dark and bright: median ± 5 MAD is one scale for the whole focal "
    "plane, so that detectors can be compared."
    "\n\n"
    "Tables (ptc, linearizer, crosstalk, defects, cti, bfk, gain) show the row under the cursor as a plot. In "
    "plots, squares of dots are measured, x are left out of the fit, the thin line is the fit, dashes are limits, "
    "T is the turnoff. v shows the next page, L makes axes logarithmic, a and A go over the amplifiers. D takes "
    "the numbers of what is in use off those shown, and draws its curves too. A crosstalk matrix has sources down "
    "and targets across; its colours go by the root of the ratio, so that small ones are seen. A box of defects "
    "at least 20 pixels long and 4 times longer than wide is a column or row, one of a single pixel a pixel, any "
    "other a block."
)
ENTRIES: Final = (
    Entry(id="data.stretch", keys="z", action="stretch", title="Stretch", footer="stretch",
          help="Next rule for what is dark and bright: median ± 5 MAD, zscale, asinh, linear, log."),
    Entry(id="data.colors", keys="c", action="colors", title="Colour map", footer="colour",
          help="Next colour map: viridis, cividis (safe for colour-blind eyes), grey."),
    Entry(id="data.difference", keys="D,shift+d", action="difference", title="Difference", footer="diff",
          help="Show the difference to what is in use, or to the attempt before; again: the product."),
    Entry(id="data.next", keys="n", action="step(1)", title="Next detector", footer="next",
          help="Next detector; on a camera with one, next amplifier."),
    Entry(id="data.before", keys="N,shift+n", action="step(-1)", title="Detector before",
          help="The detector, or amplifier, before."),
    Entry(id="data.older", keys="left_square_bracket", action="attempt(-1)", title="Older", footer="older",
          help="The RUN made before with the same calibration type."),
    Entry(id="data.newer", keys="right_square_bracket", action="attempt(1)", title="Newer", footer="newer",
          help="The RUN made after."),
    Entry(id="data.histogram", keys="H,shift+h", action="histogram", title="Histogram", footer="hist",
          help="Show or hide the histogram below the picture."),
    Entry(id="data.page", keys="v", action="page", title="Page of a table", footer="page",
          help="Next page: curve, covariances and matrix of a PTC; residual and model; linear and quadratic "
               "crosstalk; amplifiers and boxes of defects."),
    Entry(id="data.axes", keys="L,shift+l", action="axes", title="Logarithmic axes", footer="log",
          help="Make the axes of a curve logarithmic, or linear again."),
    Entry(id="data.row", keys="a", action="row(1)", title="Next amplifier", footer="amp",
          help="Next amplifier, or next row of a table."),
    Entry(id="data.row_before", keys="A,shift+a", action="row(-1)", title="Amplifier before",
          help="The amplifier, or row of a table, before."),
    Entry(id="data.facts", keys="i", action="facts", title="Facts", footer="facts",
          help="Of a table: show what it was made of and where it is valid, on screens without room for both."),
    Entry(id="data.save", keys="S,shift+s", action="save", title="Save PNG", footer="save", word="save-picture",
          help="Write the picture as a PNG file and say where."),
    Entry(id="data.graphics", keys="G,shift+g", action="graphics", title="Graphics", word="graphics",
          help="Next way to draw: half blocks in 256 colours, truecolor, greys, characters, dots."),
    Entry(id="data.spot", keys="s", action="spot", title="Spot check",
          help="Say whether what you see is ok, in the form of the spot check."),
    Entry(id="data.metrics", keys="m", action="metrics", title="Metrics",
          help="Show the verification of this product on the Metrics screen."),
)  # fmt: skip
OF_TABLES: Final = frozenset({"data.page", "data.axes", "data.row", "data.row_before", "data.facts"})
"""Keys that do nothing for pictures."""
TABLE_KEYS: Final = (
    "data.page", "data.axes", "data.row", "data.difference", "data.next", "data.older", "data.newer", "data.facts",
)  # fmt: skip
"""On the key line of a table."""
