#include "slit_profile.h"

#include <math.h>
#include <stdlib.h>

#include "profile_shape.h"

/* 2 / sqrt(pi), the slope of the error function at 0. */
#define ERF_SLOPE 1.1283791670955126

int
ww_profile_check(const ww_profile_shape *shape)
{
    const ww_profile_table *table = shape->table;

    if (table == NULL)
        return WW_OK;
    if (shape->n_wing != 0 || table->n_width < 2 || table->n_wave < 2 ||
        table->n_y < 2 || !(table->y_step > 0.0))
        return WW_ERR_ARGUMENT;
    return WW_OK;
}

void
ww_profile_take(ww_arena *arena, const ww_profile_shape *shape,
                ww_ready_profile *ready)
{
    const ww_profile_table *table = shape->table;

    if (table == NULL)
        return;
    ready->plane =
        ww_arena_take(arena, table->n_wave * table->n_y, sizeof(double));
    ready->change =
        ww_arena_take(arena, table->n_wave * table->n_y, sizeof(double));
}

/* Taylor coefficients at the nodes: with Hermite polynomials H, the derivatives
 * are 2 / sqrt(pi) exp(-x^2) (-1)^n H_n(x). */
void
ww_erf_table(double *nodes)
{
    for (size_t i = 0; i < WW_ERF_NODES; i++) {
        double x = (double)i / WW_ERF_PER_UNIT, xx = x * x;
        double *c = nodes + WW_ERF_TERMS * i, slope = ERF_SLOPE * exp(-xx);

        c[0] = erf(x);
        c[1] = slope;
        c[2] = -slope * x;
        c[3] = slope * (4.0 * xx - 2.0) / 6.0;
        c[4] = -slope * x * (8.0 * xx - 12.0) / 24.0;
        c[5] = slope * ((16.0 * xx - 48.0) * xx + 12.0) / 120.0;
    }
}

/* Where the widest of the Gaussians ends on either side. NaN stays NaN: then
 * nothing is far. */
static void
set_reach(ww_ready_profile *ready, const ww_profile_shape *shape)
{
    double scale = 1.0, shift = 0.0;

    for (size_t m = 0; m < shape->n_wing; m++) {
        const double *wing = shape->wings + 3 * m;

        if (!(fabs(wing[1]) <= scale))
            scale = fabs(wing[1]);
        if (!(fabs(wing[2]) <= shift))
            shift = fabs(wing[2]);
    }
    ready->margin = 0.5 + shift;
    ready->reach = 2.0 * WW_ERF_END * WW_ERF_END * scale * scale;
}

/* The table at a width, and its derivative; that is 0 beyond the ends. */
static void
fill_plane(const ww_ready_profile *ready, const ww_profile_table *table,
           double width)
{
    size_t size = table->n_wave * table->n_y, k = 0;
    const double *low, *high;
    double step, part, slope = 1.0;

    while (k + 2 < table->n_width && table->width[k + 1] < width)
        k++;
    low = table->values + k * size;
    high = low + size;
    step = table->width[k + 1] - table->width[k];
    part = (width - table->width[k]) / step;
    if (part < 0.0 || part > 1.0) {
        part = part < 0.0 ? 0.0 : 1.0;
        slope = 0.0;
    }
    for (size_t i = 0; i < size; i++) {
        ready->plane[i] = low[i] + part * (high[i] - low[i]);
        ready->change[i] = slope * (high[i] - low[i]) / step;
    }
}

void
ww_profile_prepare(ww_ready_profile *ready, const ww_profile_shape *shape,
                   double width)
{
    ready->shape = shape;
    ready->width = width;
    if (shape->table == NULL)
        set_reach(ready, shape);
    else
        fill_plane(ready, shape->table, width);
}

ww_profile_value
ww_profile_table_at(const ww_ready_profile *ready, double y, double wave)
{
    const ww_profile_table *table = ready->shape->table;
    double row = (y - table->y_first) / table->y_step, a, b;
    ww_profile_value out = {0.0, 0.0, 0.0};
    double corner[2][2];
    size_t i, j, at;

    if (isnan(row) || isnan(wave)) {
        out.value = out.by_y = out.by_width = NAN;
        return out;
    }
    if (row < 0.0 || row > (double)(table->n_y - 1) || wave < 0.0 ||
        wave > (double)(table->n_wave - 1))
        return out;
    i = (size_t)row;
    i -= i == table->n_y - 1;
    j = (size_t)wave;
    j -= j == table->n_wave - 1;
    a = row - (double)i;
    b = wave - (double)j;
    at = j * table->n_y + i;
    for (size_t k = 0; k < 2; k++) {
        const double *v = ready->plane + at + k, *c = ready->change + at + k;

        corner[0][k] = v[0] + b * (v[table->n_y] - v[0]);
        corner[1][k] = c[0] + b * (c[table->n_y] - c[0]);
    }
    out.value = corner[0][0] + a * (corner[0][1] - corner[0][0]);
    out.by_y = (corner[0][1] - corner[0][0]) / table->y_step;
    out.by_width = corner[1][0] + a * (corner[1][1] - corner[1][0]);
    return out;
}

int
ww_slit_profile(const ww_profile_shape *shape, double width, size_t n,
                const double *y, const double *spread, double *profile,
                double *by_y, double *by_width)
{
    ww_arena arena = {NULL, 0};
    ww_ready_profile ready = {0};
    int status = ww_profile_check(shape);

    if (status != WW_OK)
        return status;
    ww_profile_take(&arena, shape, &ready);
    arena.base = malloc(arena.used + 1); /* Gaussians need none */
    if (arena.base == NULL)
        return WW_ERR_NOMEM;
    arena.used = 0;
    ww_profile_take(&arena, shape, &ready);
    ww_profile_prepare(&ready, shape, width);
    for (size_t i = 0; i < n; i++) {
        ww_profile_value v = ww_profile_at(&ready, y[i], spread[i], 1.0, NULL, 0);

        profile[i] = v.value;
        if (by_y != NULL)
            by_y[i] = v.by_y;
        if (by_width != NULL)
            by_width[i] = v.by_width;
    }
    free(arena.base);
    return WW_OK;
}
