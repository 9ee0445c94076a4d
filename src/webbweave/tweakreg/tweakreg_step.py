"""TweakRegStep: the pipeline step around the alignment of images."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, ClassVar

from astropy.table import Table

from webbweave.datamodels import ModelList, save_table
from webbweave.parallel import thread_count
from webbweave.stpipe import WeaveStep
from webbweave.tweakreg.alignment_products import Recipe, align_members, summary_of
from webbweave.tweakreg.catalogs import FinderOptions
from webbweave.tweakreg.image_products import FitsApproximation
from webbweave.tweakreg.outcomes import Alignment, AlignmentOptions
from webbweave.tweakreg.stages import MatchOptions
from webbweave.tweakreg.summary import AlignmentSummary

__all__ = ["TweakRegStep"]

log = logging.getLogger(__name__)

#: Parameters that say how sources are found.
_FINDER = (
    "starfinder",
    "snr_threshold",
    "bkg_boxsize",
    "kernel_fwhm",
    "minsep_fwhm",
    "sigma_radius",
    "sharplo",
    "sharphi",
    "roundlo",
    "roundhi",
    "brightest",
    "peakmax",
    "npixels",
    "connectivity",
    "nlevels",
    "contrast",
    "multithresh_mode",
    "localbkg_width",
    "apermask_method",
    "kron_params",
    "deblend",
)
#: Parameters of a stage; those of the absolute stage begin with ``abs_``.
_STAGE = (
    "minobj",
    "searchrad",
    "max_searchrad",
    "use2dhist",
    "separation",
    "tolerance",
    "fitgeometry",
    "nclip",
    "sigma",
)


class TweakRegStep(WeaveStep):
    """
    Align images by the sources in them, to each other and to a reference catalog.

    The step takes an association, or a list or container of image models or files, and gives
    corrected copies in the same order. An image without a solution that can be trusted keeps its
    WCS; its status and the reason are in ``meta.cal_step.tweakreg`` and ``meta.tweakreg``.
    """

    class_alias = "tweakreg"
    reference_file_types: ClassVar[list[str]] = []

    spec: ClassVar[str] = """
    save_catalogs        = boolean(default=False)          # Write out catalogs?
    use_custom_catalogs  = boolean(default=False)          # Use custom user-provided catalogs?
    catalog_format       = string(default='ecsv')          # Catalog output file format
    catfile              = string(default='')              # Name of the file with a list of custom user-provided catalogs
    starfinder           = option('dao', 'iraf', 'segmentation', default='dao')  # Star finder to use
    snr_threshold        = float(default=10.0)             # SNR threshold above the background for the star finder
    kernel_fwhm          = float(default=2.5)              # Gaussian kernel FWHM in pixels
    minsep_fwhm          = float(default=0.0)              # Minimum separation between detected objects in FWHM
    sigma_radius         = float(default=1.5)              # Truncation radius of the Gaussian kernel in units of sigma
    sharplo              = float(default=0.2)              # The lower bound on sharpness for object detection
    sharphi              = float(default=1.0)              # The upper bound on sharpness for object detection
    roundlo              = float(default=-1.0)             # The lower bound on roundness for object detection
    roundhi              = float(default=1.0)              # The upper bound on roundness for object detection
    brightest            = integer(default=200)            # Keep top ``brightest`` objects
    peakmax              = float(default=None)             # Filter out objects with pixel values >= ``peakmax``
    npixels              = integer(default=10)             # Minimum number of connected pixels
    connectivity         = option('4', '8', default='8')   # The connectivity defining the neighborhood of a pixel
    nlevels              = integer(default=32)             # Number of multi-thresholding levels for deblending
    contrast             = float(default=0.001)            # Fraction of total source flux an object must have to be deblended
    multithresh_mode     = option('exponential', 'linear', 'sinh', default='exponential')  # Multi-thresholding mode
    localbkg_width       = integer(default=0)              # Width of rectangular annulus used to compute local background around each source
    apermask_method      = option('correct', 'mask', 'none', default='correct')  # How to handle neighboring sources
    kron_params          = float_list(min=2, max=3, default=None)  # Parameters defining Kron aperture
    deblend              = boolean(default=True)           # Deblend sources found by segmentation?
    bkg_boxsize          = integer(default=400)            # The background mesh box size in pixels
    enforce_user_order   = boolean(default=False)          # Align images in user specified order?
    expand_refcat        = boolean(default=False)          # Expand reference catalog with new sources?
    minobj               = integer(default=15)             # Minimum number of objects acceptable for matching
    searchrad            = float(default=2.0)              # The search radius in arcsec for a match
    max_searchrad        = float(default=None)             # Where a search that finds nothing ends, in arcsec; 4 times searchrad by default
    use2dhist            = boolean(default=True)           # Use 2d histogram to find initial offset?
    separation           = float(default=1.0)              # Minimum object separation in arcsec
    tolerance            = float(default=0.7)              # Matching tolerance in arcsec
    xoffset              = float(default=0.0)              # Initial guess for X offset in arcsec
    yoffset              = float(default=0.0)              # Initial guess for Y offset in arcsec
    fitgeometry          = option('shift', 'rshift', 'rscale', 'general', default='rshift')  # Fitting geometry
    nclip                = integer(min=0, default=3)       # Number of clipping iterations in fit
    sigma                = float(min=0.0, default=3.0)     # Clipping limit in sigma units
    abs_refcat           = string(default='')              # Catalog file name or one of: GAIADR3, GAIADR2, GAIADR1, GAIAREFCAT, or None, or ''
    save_abs_catalog     = boolean(default=False)          # Write out used absolute astrometric reference catalog as a separate product
    abs_minobj           = integer(default=15)             # Minimum number of objects acceptable for matching when performing absolute astrometry
    abs_searchrad        = float(default=6.0)              # The search radius in arcsec for a match when performing absolute astrometry
    abs_max_searchrad    = float(default=None)             # Where a search that finds nothing ends, in arcsec; 4 times abs_searchrad by default
    abs_use2dhist        = boolean(default=True)           # Use 2D histogram to find initial offset when performing absolute astrometry?
    abs_separation       = float(default=0.1)              # Minimum object separation in arcsec when performing absolute astrometry
    abs_tolerance        = float(default=0.7)              # Matching tolerance in arcsec when performing absolute astrometry
    abs_fitgeometry      = option('shift', 'rshift', 'rscale', 'general', default='rshift')  # Fitting geometry when performing absolute astrometry
    abs_nclip            = integer(min=0, default=3)       # Number of clipping iterations in fit when performing absolute astrometry
    abs_sigma            = float(min=0.0, default=3.0)     # Clipping limit in sigma units when performing absolute astrometry
    abs_mag_bright       = float(default=None)             # Leave out reference stars brighter than this magnitude
    abs_mag_faint        = float(default=None)             # Leave out reference stars fainter than this magnitude
    output_use_model     = boolean(default=True)           # When saving use `DataModel.meta.filename`
    output_use_index     = boolean(default=True)           # Append index
    sip_approx           = boolean(default=True)           # Enables SIP approximation for imaging modes
    sip_max_pix_error    = float(default=0.01)             # Max err for SIP fit, forward
    sip_degree           = integer(max=6, default=None)    # Degree for forward SIP fit, None to use best fit
    sip_max_inv_pix_error = float(default=0.01)            # Max err for SIP fit, inverse
    sip_inv_degree       = integer(max=6, default=None)    # Degree for inverse SIP fit, None to use best fit
    sip_npoints          = integer(default=12)             # Number of points for SIP
    in_memory            = boolean(default=True)           # Keep the arrays of the results in memory, not on disk
    method               = option('auto', 'joint', 'chain', default='auto')  # Solve for all groups at once, or one after the other; auto: the first with a reference catalog
    save_fit_table       = boolean(default=False)          # Write out the fit table
    apply_solution       = string(default='')              # Fit table whose corrections are applied instead of finding new ones
    dry_run              = boolean(default=False)          # Find the corrections and leave the images as they are
    suffix               = string(default='tweakreg')      # Suffix of the products
    """  # noqa: E501

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        #: The fit table of the last run.
        self.fit_table: Table | None = None
        #: The alignment of the last run; None if there was nothing to align.
        self.alignment: Alignment | None = None
        #: Whether a run makes a summary of what it did, for a page about it.
        self.summarises = False
        #: The summary of the last run.
        self.summary: AlignmentSummary | None = None
        #: Files that the last run wrote besides its products.
        self.written: list[Path] = []

    @staticmethod
    def plain_parameters(parameters: dict[str, Any]) -> dict[str, Any]:
        """
        Write parameters as the configuration knows them; see `WeaveStep.plain_parameters`.

        Parameters
        ----------
        parameters : dict
            As they were given.

        Returns
        -------
        dict
            The same with texts where the configuration wants texts.
        """
        names = ("connectivity", "maximum_cores", "abs_refcat", "catfile", "apply_solution")
        given = {name: parameters[name] for name in names if parameters.get(name) is not None}
        return parameters | {name: str(value) for name, value in given.items()}

    def process(self, input: Any) -> ModelList:  # noqa: A002
        """
        Align images.

        Parameters
        ----------
        input : str, path, dict, data model, or a collection of these
            Calibrated images (ImageModel); never changed.

        Returns
        -------
        ModelList
            Corrected copies in the same order.

        Raises
        ------
        ValueError
            If there is no image, or a parameter has no meaning.
        TypeError
            If an input is no ImageModel.
        WeaveError
            If a file cannot be read or used; the message names it.
        """
        recipe = self.recipe()
        if hasattr(input, "__len__") and len(input) == 0:
            raise ValueError("Input must contain at least one image model.")
        if advice := recipe.finder.advice:
            log.warning("%s", advice)
        aligned = align_members(self.collect(input), recipe, self.progress)
        self.alignment, self.fit_table = aligned.alignment, aligned.table
        self.summary = summary_of(aligned, recipe) if self.summarises else None
        self.written = []
        if self.save_fit_table and len(aligned.table):
            self.written.append(recipe.folder / self._table_name())
            save_table(aligned.table, self.written[0])
        return aligned.models

    def recipe(self) -> Recipe:
        """
        Check the parameters, and put them together.

        Returns
        -------
        Recipe
            What they ask for.

        Raises
        ------
        ValueError
            If one has no meaning.
        """
        abs_refcat = str(self.abs_refcat or "").strip()
        abs_refcat = "" if abs_refcat.upper() == "NONE" else abs_refcat
        shared = {"compat": self.compat}
        stages = [
            MatchOptions(**{name: getattr(self, prefix + name) for name in _STAGE}, **more)
            for prefix, more in (
                ("", {"xoffset": self.xoffset, "yoffset": self.yoffset, **shared}),
                ("abs_", shared),
            )
        ]
        fits = FitsApproximation(
            max_pix_error=self.sip_max_pix_error,
            degree=self.sip_degree,
            max_inv_pix_error=self.sip_max_inv_pix_error,
            inv_degree=self.sip_inv_degree,
            npoints=self.sip_npoints,
        )
        kron = None if self.kron_params is None else tuple(self.kron_params)
        finder = {name: getattr(self, name) for name in _FINDER} | {"kron_params": kron}
        return Recipe(
            finder=FinderOptions(**finder),
            options=AlignmentOptions(
                relative=stages[0],
                absolute=stages[1],
                expand_refcat=self.expand_refcat or bool(abs_refcat),
                enforce_user_order=self.enforce_user_order,
                method=self.method,
                compat=self.compat,
            ),
            use_custom_catalogs=self.use_custom_catalogs,
            catfile=self.catfile,
            save_catalogs=self.save_catalogs,
            catalog_format=self.catalog_format,
            abs_refcat=abs_refcat,
            save_abs_catalog=self.save_abs_catalog,
            mag_limits=(self.abs_mag_bright, self.abs_mag_faint),
            fits=fits if self.sip_approx else None,
            apply_solution=self.apply_solution,
            dry_run=self.dry_run,
            in_memory=self.in_memory,
            folder=Path(self.search_attr("output_dir") or ""),
            threads=thread_count(self.maximum_cores),
        )

    def _table_name(self) -> str:
        name = self.inputs.product_name if self.inputs is not None else None
        return f"{name or 'tweakreg'}_fit.ecsv"
