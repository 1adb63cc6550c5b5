"""Stands in for the image classes of this module, which no package index offers."""

from lsst.obs.base.formatters.fitsGeneric import FitsGenericFormatter


class FitsExposureFormatter(FitsGenericFormatter):
    """Image with mask and variance."""


class FitsImageFormatter(FitsGenericFormatter):
    """Image alone."""
