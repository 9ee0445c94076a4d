"""What the page of msaexp's SlitGroup lists: arguments, defaults, attributes, methods."""

from __future__ import annotations

import inspect

import numpy as np

NONE = inspect.Parameter.empty
#: Names and defaults of the page; sequences are compared by their values.
CONSTRUCTOR = {
    "files": NONE,
    "name": NONE,
    "position_key": "y_index",
    "diffs": True,
    "grating_diffs": True,
    "stuck_threshold": 0.3,
    "hot_cold_kwargs": None,
    "bad_shutter_names": None,
    "dilate_failed_open": True,
    "num_shutters": -1,
    "undo_barshadow": 2,
    "min_bar": 0.4,
    "bar_corr_mode": "wave",
    "fix_prism_norm": True,
    "extended_calibration_kwargs": {"threshold": 0.01},
    "with_sflat_correction": True,
    "with_extra_dq": True,
    "slit_hotpix_kwargs": {},
    "sky_arrays": None,
    "sky_file": "read",
    "set_background_spectra_kwargs": {},
    "global_sky_df": 7,
    "estimate_sky_kwargs": None,
    "flag_profile_kwargs": None,
    "do_multiple_mask": True,
    "flag_trace_kwargs": {},
    "flag_2d_kwargs": None,
    "flag_percentile_kwargs": {},
    "undo_pathloss": True,
    "trace_with_xpos": False,
    "trace_with_ypos": False,
    "trace_from_yoffset": True,
    "with_fs_offset": False,
    "fit_shutter_offset_kwargs": None,
    "shutter_offset": 0.0,
    "nod_offset": None,
    "pad_border": 2,
    "weight_type": "ivm",
    "reference_exposure": "auto",
    "lookup_prf": None,
}
LIMITS = {
    "g140h": [0.6, 1.9, 0.000238],
    "g140m": [0.6, 3.35, 0.00063],
    "g235h": [1.6, 3.2, 0.000396],
    "g235m": [1.5, 5.3, 0.00106],
    "g395h": [2.8, 5.3, 0.000666],
    "g395m": [2.6, 5.6, 0.00179],
    "grismc": [2.5, 5.1, 0.002],
    "grismr": [2.5, 5.1, 0.002],
    "prism": [0.5, 5.6, 0.01],
}
PLUS = [[0, 1, 0], [1, 1, 1], [0, 1, 0]]
METHODS = {
    "apply_bad_shutter_mask": {},
    "apply_normalization_correction": {},
    "apply_spline_bar_correction": {},
    "calculate_slices": {},
    "estimate_sky": {
        "mask_yslit": [[-4.5, 4.5]],
        "min_bar": 0.95,
        "var_percentiles": [-5, -5],
        "df": 51,
        "high_clip": 0.8,
        "use": True,
        "outlier_threshold": 7,
        "absolute_threshold": 0.2,
        "make_plot": False,
        "grating_limits": LIMITS,
    },
    "fit_all_traces": {"niter": 3, "dchi_threshold": -25, "ref_exp": 2},
    "fit_params_by_sn": {"sn_percentile": 80, "sigma_threshold": 5, "degree_sn": [[-1000], [0]]},
    "fit_shutter_offset": {
        "minimizer_kwargs": {"method": "bfgs", "tol": 1e-05},
        "update": True,
        "make_plot": False,
        "max_sn": 50,
        "prior": (0, 0.05),
    },
    "fit_single_trace": {
        "x0": None,
        "initial_sigma": 3.0,
        "exp": 1,
        "force_positive": True,
        "method": "powell",
        "tol": 1e-06,
        "evaluate": False,
        "degree": 2,
        "sigma_bounds": (1, 20),
        "trace_bounds": (-1, 1),
        "fix_sigma": -1,
        "with_bounds": True,
        "verbose": True,
    },
    "flag_2d_outliers": {
        "filter_size": 5,
        "threshold": [-5, 5],
        "with_mask": False,
        "dilate_structure": PLUS,
        "in_place": True,
    },
    "flag_from_profile": {
        "grow": 2,
        "nfilt": -32,
        "require_multiple": True,
        "make_plot": False,
    },
    "flag_hot_cold_pixels": {
        "cold_percentile": -0.1,
        "hot_percentile": 1.5,
        "absolute": True,
        "min_nexp": -1,
        "dilate": None,
    },
    "flag_percentile_outliers": {
        "plevels": [0.95, -4, -0.1],
        "scale": 2,
        "yslit": [-2.0, 2.0],
        "dilate": np.ones((3, 3)).tolist(),
        "update": True,
    },
    "flag_trace_outliers": {"yslit": [-2, 2], "filter_size": -2, "threshold": 1.5},
    "get_flat_diff_arrays": {
        "apply_mask": True,
        "fit": None,
        "with_pathloss": False,
        "float_dtype": float,
    },
    "get_global_sky": {"sky_file": None},
    "get_trace_sn": {"exposure_position": "auto", "theta": [4.0, 0], "force_positive": True},
    "make_diff_image": {"exp": 1, "separate": False},
    "mask_stuck_closed_shutters": {"stuck_threshold": 0.3, "min_bar": 0.7},
    "parse_data": {"debug": False, "with_sflat_correction": True, "with_extra_dq": True},
    "parse_metadata": {},
    "plot_2d_differences": {
        "fit": None,
        "clip_sigma": 5,
        "kws": {"cmap": "bone_r", "interpolation": "hanning"},
        "figsize": (6, 2),
    },
    "plot_profile": {"exp": 1, "ax": None, "fit_result": None, "ymax": 0.2},
    "set_background_spectra": {
        "path": "",
        "skip_h_gratings": True,
        "df": -1,
        "by_wavelength": False,
        "wsteps": None,
        "poly": False,
        "mask_yslit": [[-4, 4]],
        "resid_limits": [-3, 5],
        "apply_to_background": True,
    },
    "set_trace_coeffs": {"degree": 2},
    "slit_metadata": {},
    "update_trace_from_coeffs": {},
}
#: Attributes of the page, with the number of axes that they have here.
ATTRIBUTES = {
    "meta": None,
    "sh": None,
    **dict.fromkeys(("sci", "dq", "mask", "var", "var_rnoise", "var_poisson", "xslit"), 2),
    **dict.fromkeys(("yslit", "yslit_orig", "ypix", "wave", "bar", "xtr", "ytr", "wtr"), 2),
}
PROPERTIES = [
    *("IS_FIXED_SLIT", "N", "calc_reference_exposure", "data", "exptime", "filter", "grating"),
    *("fixed_yshutter", "relative_nod_offset", "sky_background", "slit_pixel_scale", "unp"),
    *("slit_shutter_scale", "source_ypixel_position"),
]


def plain(value):
    """Lists for tuples and arrays, a dictionary for a read-only one."""
    if isinstance(value, np.ndarray):
        return value.astype(float).tolist()
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return {key: plain(value[key]) for key in value} if hasattr(value, "keys") else value


def positional(function) -> dict:
    kinds = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.VAR_KEYWORD)
    parameters = inspect.signature(function).parameters
    return {
        name: item.default
        for name, item in parameters.items()
        if name != "self" and item.kind not in kinds
    }
