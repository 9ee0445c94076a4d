/* A profile ready to be evaluated: what slit_profile.c and slit_objective.c
 * share. */
#ifndef WW_PROFILE_SHAPE_H
#define WW_PROFILE_SHAPE_H

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

/* The profile at one place; by_wings: [3 n_wing] derivatives by the wings,
 * to which share times them is added, or NULL. */
ww_profile_value
ww_profile_at(const ww_ready_profile *ready, double y, double spread,
              double share, double *by_wings);

#endif
