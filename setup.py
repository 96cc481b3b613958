"""All metadata is in setup.cfg; this file lets every pip build from it."""

import setuptools

setuptools.setup()
