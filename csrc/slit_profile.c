#include "slit_profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

/* The tabulated profile at one place. */
static void
table_at(const ww_ready_profile *ready, double y, double wave, size_t to,
         ww_profile_values *out)
{
    const ww_profile_table *table = ready->shape->table;
    double row = (y - table->y_first) / table->y_step, a, b;
    double corner[2][2], all = isnan(row) || isnan(wave) ? NAN : 0.0;
    size_t i, j, at;

    out->value[to] = out->by_y[to] = out->by_width[to] = all;
    if (!(row >= 0.0 && row <= (double)(table->n_y - 1) && wave >= 0.0 &&
          wave <= (double)(table->n_wave - 1)))
        return;
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
    out->value[to] = corner[0][0] + a * (corner[0][1] - corner[0][0]);
    out->by_y[to] = (corner[0][1] - corner[0][0]) / table->y_step;
    out->by_width[to] = corner[1][0] + a * (corner[1][1] - corner[1][0]);
}

/* The error function and its slope at edges of pixels. No branches, and loops
 * that the compiler does two at a time. NaN is taken for the end. */
static void
erf_at(const double *nodes, size_t n, const double *y, double edge,
       const double *inverse, double *x, double *value, double *slope)
{
    const double half_root = 0.70710678118654752; /* 1 / sqrt(2) */
    int node[WW_PROFILE_CHUNK];
    double off[WW_PROFILE_CHUNK];

    for (size_t i = 0; i < n; i++) {
        double a;

        x[i] = (y[i] + edge) * (half_root * inverse[i]);
        a = fabs(x[i]);
        a = a < (double)WW_ERF_END ? a : (double)WW_ERF_END;
        node[i] = (int)(a * WW_ERF_PER_UNIT + 0.5);
        off[i] = a - node[i] * (1.0 / WW_ERF_PER_UNIT);
    }
    for (size_t i = 0; i < n; i++) {
        const double *c = nodes + WW_ERF_TERMS * node[i];
        double d = off[i];

        value[i] = copysign(
            c[0] + d * (c[1] + d * (c[2] + d * (c[3] + d * (c[4] + d * c[5])))),
            x[i]);
        slope[i] = c[1] + d * (2.0 * c[2] +
                               d * (3.0 * c[3] +
                                    d * (4.0 * c[4] + d * (5.0 * c[5]))));
    }
}

/* The integrals over pixels of Gaussians of which the inverse standard
 * deviations are given; by_width is the derivative by these deviations. */
static void
gaussians_at(const double *nodes, size_t n, const double *y,
             const double *inverse, ww_profile_values *out)
{
    const double half_root = 0.70710678118654752; /* 1 / sqrt(2) */
    double high[WW_PROFILE_CHUNK], low[WW_PROFILE_CHUNK];
    double v_high[WW_PROFILE_CHUNK], v_low[WW_PROFILE_CHUNK];
    double d_high[WW_PROFILE_CHUNK], d_low[WW_PROFILE_CHUNK];

    erf_at(nodes, n, y, 0.5, inverse, high, v_high, d_high);
    erf_at(nodes, n, y, -0.5, inverse, low, v_low, d_low);
    for (size_t i = 0; i < n; i++) {
        double u = half_root * inverse[i];

        out->value[i] = 0.5 * (v_high[i] - v_low[i]) +
                        0.0 * u * y[i]; /* NaN stays NaN */
        out->by_y[i] = 0.5 * u * (d_high[i] - d_low[i]);
        out->by_width[i] =
            -0.5 * (d_high[i] * high[i] - d_low[i] * low[i]) * inverse[i];
    }
}

/* Add a wing to Gaussians of which the inverse standard deviations and their
 * derivatives by the width are given. */
static void
add_wing(const ww_ready_profile *ready, const double *wing, size_t n,
         const double *y, const double *inverse, const double *widening,
         ww_profile_values *out, ww_profile_values *own)
{
    double at[WW_PROFILE_CHUNK] = {0.0}, narrower[WW_PROFILE_CHUNK] = {0.0};
    ww_profile_values far;

    for (size_t i = 0; i < n; i++) {
        at[i] = y[i] + wing[2];
        narrower[i] = inverse[i] / wing[1];
    }
    gaussians_at(ready->shape->erf, n, at, narrower, &far);
    for (size_t i = 0; i < n; i++) {
        out->value[i] += wing[0] * far.value[i];
        out->by_y[i] += wing[0] * far.by_y[i];
        out->by_width[i] += wing[0] * far.by_width[i] * wing[1] * widening[i];
    }
    if (own == NULL)
        return;
    for (size_t i = 0; i < n; i++) {
        own->value[i] = far.value[i];
        own->by_width[i] = wing[0] * far.by_width[i] / inverse[i];
        own->by_y[i] = wing[0] * far.by_y[i];
    }
}

void
ww_profile_at(const ww_ready_profile *ready, size_t n, const double *y,
              const double *spread, ww_profile_values *out,
              ww_profile_values *wings)
{
    double inverse[WW_PROFILE_CHUNK], widening[WW_PROFILE_CHUNK];
    double width = ready->width;

    if (n == 0)
        return;
    if (ready->shape->table != NULL) {
        for (size_t i = 0; i < n; i++)
            table_at(ready, y[i], spread[i], i, out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        inverse[i] = 1.0 / sqrt(spread[i] + width * width);
        widening[i] = width * inverse[i];
    }
    gaussians_at(ready->shape->erf, n, y, inverse, out);
    for (size_t i = 0; i < n; i++)
        out->by_width[i] *= widening[i];
    for (size_t m = 0; m < ready->shape->n_wing; m++)
        add_wing(ready, ready->shape->wings + 3 * m, n, y, inverse, widening,
                 out, wings == NULL ? NULL : wings + m);
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
    for (size_t i = 0; i < n; i += WW_PROFILE_CHUNK) {
        size_t some = n - i < WW_PROFILE_CHUNK ? n - i : WW_PROFILE_CHUNK;
        ww_profile_values v;

        ww_profile_at(&ready, some, y + i, spread + i, &v, NULL);
        memcpy(profile + i, v.value, some * sizeof(double));
        if (by_y != NULL)
            memcpy(by_y + i, v.by_y, some * sizeof(double));
        if (by_width != NULL)
            memcpy(by_width + i, v.by_width, some * sizeof(double));
    }
    free(arena.base);
    return WW_OK;
}
