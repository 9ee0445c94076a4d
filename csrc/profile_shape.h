/* A profile ready to be evaluated: what slit_profile.c and slit_objective.c
 * share. */
#ifndef WW_PROFILE_SHAPE_H
#define WW_PROFILE_SHAPE_H

#include <math.h>

#include "arena.h"
#include "slit_profile.h"

/* The error function in steps of 1 / ERF_PER_UNIT, by its Taylor series of
 * fifth order about the nearest one: off by less than
 * max|erf^(6)| / 6! / (2 ERF_PER_UNIT)^6 = 3e-14. Beyond ERF_END it is 1 to
 * the last digit. */
enum { ERF_PER_UNIT = 64, ERF_END = 6, ERF_TERMS = 6 };
#define WW_ERF_NODES ((size_t)(ERF_PER_UNIT * ERF_END + 1))

typedef struct {
    const ww_profile_shape *shape;
    double width;
    double *erf;            /* [WW_ERF_NODES][ERF_TERMS], Gaussians */
    double *plane, *change; /* [n_wave][n_y] table at this width, by width */
} ww_ready_profile;

typedef struct {
    double value, by_y, by_width;
} ww_profile_value;

/* Whether a shape makes sense. */
int
ww_profile_check(const ww_profile_shape *shape);

void
ww_profile_take(ww_arena *arena, const ww_profile_shape *shape,
                ww_ready_profile *ready);

/* Fill the tables for a width. */
void
ww_profile_prepare(ww_ready_profile *ready, const ww_profile_shape *shape,
                   double width);

/* The tabulated profile at one place. */
ww_profile_value
ww_profile_table_at(const ww_ready_profile *ready, double y, double wave);

/* The error function and its slope. No branches: neighbouring samples are near
 * the trace and far from it in turn. NaN is taken for the end. */
static inline void
ww_erf_at(const double *nodes, double x, double *value, double *slope)
{
    double a = fabs(x), d;
    const double *c;
    int node;

    a = a < (double)ERF_END ? a : (double)ERF_END;
    node = (int)(a * ERF_PER_UNIT + 0.5);
    c = nodes + ERF_TERMS * node;
    d = a - node * (1.0 / ERF_PER_UNIT);
    *value = copysign(
        c[0] + d * (c[1] + d * (c[2] + d * (c[3] + d * (c[4] + d * c[5])))),
        x);
    *slope = c[1] + d * (2.0 * c[2] +
                         d * (3.0 * c[3] +
                              d * (4.0 * c[4] + d * (5.0 * c[5]))));
}

/* The integral over a pixel of a Gaussian of which the inverse standard
 * deviation is given; by_width is the derivative by the standard deviation. */
static inline ww_profile_value
ww_gaussian_at(const double *nodes, double y, double inverse)
{
    const double half_root = 0.70710678118654752; /* 1 / sqrt(2) */
    double u = half_root * inverse, high = (y + 0.5) * u, low = (y - 0.5) * u;
    double v_high, v_low, d_high, d_low;
    ww_profile_value out;

    ww_erf_at(nodes, high, &v_high, &d_high);
    ww_erf_at(nodes, low, &v_low, &d_low);
    out.value = 0.5 * (v_high - v_low) + 0.0 * u * y; /* NaN stays NaN */
    out.by_y = 0.5 * u * (d_high - d_low);
    out.by_width = -0.5 * (d_high * high - d_low * low) * inverse;
    return out;
}

/* The profile at one place; by_wings: [3 n_wing] derivatives by the wings,
 * to which share times them is added, or NULL. */
static inline ww_profile_value
ww_profile_at(const ww_ready_profile *ready, double y, double spread,
              double share, double *by_wings)
{
    double inverse, widening;
    ww_profile_value out;

    if (ready->shape->table != NULL)
        return ww_profile_table_at(ready, y, spread);
    inverse = 1.0 / sqrt(spread + ready->width * ready->width);
    widening = ready->width * inverse;
    out = ww_gaussian_at(ready->erf, y, inverse);
    out.by_width *= widening;
    for (size_t m = 0; m < ready->shape->n_wing; m++) {
        const double *wing = ready->shape->wings + 3 * m;
        ww_profile_value far =
            ww_gaussian_at(ready->erf, y + wing[2], inverse / wing[1]);

        out.value += wing[0] * far.value;
        out.by_y += wing[0] * far.by_y;
        out.by_width += wing[0] * far.by_width * wing[1] * widening;
        if (by_wings != NULL) {
            by_wings[3 * m] += share * far.value;
            by_wings[3 * m + 1] += share * wing[0] * far.by_width / inverse;
            by_wings[3 * m + 2] += share * wing[0] * far.by_y;
        }
    }
    return out;
}

#endif
