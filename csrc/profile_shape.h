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

/* So many places are evaluated at once. */
enum { WW_PROFILE_CHUNK = 64 };

/* The profile at places, and its derivatives. */
typedef struct {
    double value[WW_PROFILE_CHUNK], by_y[WW_PROFILE_CHUNK];
    double by_width[WW_PROFILE_CHUNK];
} ww_profile_values;

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

/* The profile at n <= WW_PROFILE_CHUNK places; wings: [n_wing] derivatives by
 * amplitude (in value), scale (in by_width) and shift (in by_y), or NULL. */
void
ww_profile_at(const ww_ready_profile *ready, size_t n, const double *y,
              const double *spread, ww_profile_values *out,
              ww_profile_values *wings);

/* Whether both edges of a pixel are beyond the end of the error function: all
 * Gaussians are 0 there to the last digit. Tables end by themselves. No
 * branches: neighbours differ too often. */
static inline int
ww_profile_is_far(const ww_ready_profile *ready, double y, double spread)
{
    double beyond = fabs(y) - ready->margin;
    double variance = spread + ready->width * ready->width;

    return (beyond > 0.0) & (beyond * beyond > ready->reach * variance);
}

#endif
