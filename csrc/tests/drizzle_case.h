/* One exposure and one grid, for the test programs of drizzle.h. */
#ifndef WW_TESTS_DRIZZLE_CASE_H
#define WW_TESTS_DRIZZLE_CASE_H

#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "drizzle.h"

enum { SIDE = 12, N_PLANE = 2, N_CELL = SIDE * SIDE };

/* One exposure and one grid, with room for SIDE x SIDE of each. */
typedef struct {
    double map_x[N_CELL], map_y[N_CELL];
    float value[N_PLANE * N_CELL], weight[N_CELL];
    uint32_t dq[N_CELL];
    double out_weight[N_CELL], out_sum[N_PLANE * N_CELL];
    uint32_t out_dq[N_CELL], out_context[N_CELL];
    ww_drizzle_input in;
    ww_drizzle_output out;
} scene;

/* The linear map x = a i + b j + x0, y = c i + d j + y0 from n_in x n_in
 * pixels to n_out x n_out cells; values 1, 2, ... and ten times that in the
 * second plane; weights 1; the bit of the pixel's row as data quality. */
static inline void
set_scene(scene *s, size_t n_in, size_t n_out, const double map[6])
{
    memset(s, 0, sizeof *s);
    for (size_t k = 0; k < n_in * n_in; k++) {
        double i = (double)(k % n_in), j = (double)(k / n_in);

        s->map_x[k] = map[0] * i + map[1] * j + map[2];
        s->map_y[k] = map[3] * i + map[4] * j + map[5];
        s->value[k] = (float)(k + 1);
        s->value[n_in * n_in + k] = (float)(10 * (k + 1));
        s->weight[k] = 1.0f;
        s->dq[k] = (uint32_t)1 << (k / n_in);
    }
    s->in = (ww_drizzle_input){.ny = n_in,
                               .nx = n_in,
                               .n_plane = N_PLANE,
                               .map_x = s->map_x,
                               .map_y = s->map_y,
                               .value = s->value,
                               .weight = s->weight,
                               .dq = s->dq,
                               .pixfrac = 1.0,
                               .context_bit = 4};
    s->out = (ww_drizzle_output){.ny = n_out,
                                 .nx = n_out,
                                 .weight = s->out_weight,
                                 .sum = s->out_sum,
                                 .dq = s->out_dq,
                                 .context = s->out_context};
}

static inline void
shift_scene(scene *s, size_t n_in, size_t n_out, double x0, double y0)
{
    double map[6] = {1.0, 0.0, x0, 0.0, 1.0, y0};

    set_scene(s, n_in, n_out, map);
}

static inline void
run(scene *s)
{
    assert(ww_drizzle_add(&s->in, &s->out, 0, s->out.ny) == WW_OK);
}

static inline double
total(const double *a)
{
    double sum = 0.0;

    for (size_t k = 0; k < N_CELL; k++)
        sum += a[k];
    return sum;
}

static inline int
is_close(double a, double b)
{
    return fabs(a - b) <= 1e-13 * (1.0 + fabs(b));
}

#endif
