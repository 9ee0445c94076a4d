/* A profile ready to be evaluated: what slit_profile.c and slit_objective.c
 * share. */
#ifndef WW_PROFILE_SHAPE_H
#define WW_PROFILE_SHAPE_H

#include <math.h>

#include "arena.h"
#include "slit_profile.h"

typedef struct {
    const ww_profile_shape *shape;
    double width;
    double margin, reach;   /* of ww_profile_is_far, Gaussians */
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

    a = a < (double)WW_ERF_END ? a : (double)WW_ERF_END;
    node = (int)(a * WW_ERF_PER_UNIT + 0.5);
    c = nodes + WW_ERF_TERMS * node;
    d = a - node * (1.0 / WW_ERF_PER_UNIT);
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

/* Whether both edges of a pixel are beyond the end of the error function: all
 * Gaussians are 0 there to the last digit. Tables end by themselves. */
static inline int
ww_profile_is_far(const ww_ready_profile *ready, double y, double spread)
{
    double beyond = fabs(y) - ready->margin;
    double variance = spread + ready->width * ready->width;

    return beyond > 0.0 && beyond * beyond > ready->reach * variance;
}

/* The profile at one place; by_wings: [3 n_wing] derivatives by the wings,
 * stride apart, to which share times them is added, or NULL. */
static inline ww_profile_value
ww_profile_at(const ww_ready_profile *ready, double y, double spread,
              double share, double *by_wings, size_t stride)
{
    double inverse, widening;
    ww_profile_value out;

    if (ready->shape->table != NULL)
        return ww_profile_table_at(ready, y, spread);
    inverse = 1.0 / sqrt(spread + ready->width * ready->width);
    widening = ready->width * inverse;
    out = ww_gaussian_at(ready->shape->erf, y, inverse);
    out.by_width *= widening;
    for (size_t m = 0; m < ready->shape->n_wing; m++) {
        const double *wing = ready->shape->wings + 3 * m;
        ww_profile_value far =
            ww_gaussian_at(ready->shape->erf, y + wing[2], inverse / wing[1]);

        out.value += wing[0] * far.value;
        out.by_y += wing[0] * far.by_y;
        out.by_width += wing[0] * far.by_width * wing[1] * widening;
        if (by_wings != NULL) {
            double *to = by_wings + 3 * m * stride;

            to[0] += share * far.value;
            to[stride] += share * wing[0] * far.by_width / inverse;
            to[2 * stride] += share * wing[0] * far.by_y;
        }
    }
    return out;
}

#endif
