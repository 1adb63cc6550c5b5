"""The terminal driver that sends only the cells that changed."""

from tui.driver.frugal import FrugalDriver

__all__ = ["FrugalDriver"]
