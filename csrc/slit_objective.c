#include "slit_profile.h"

#include <math.h>
#include <stdlib.h>

#include "profile_shape.h"

/* One evaluation: the parameters, and room for the pixels of a column. */
typedef struct {
    const ww_slit_samples *in;
    ww_ready_profile profile;
    size_t n_trace, n_par; /* n_par 0: no derivatives */
    const double *trace;
    double *value;  /* [pixels of the longest column] */
    double *slopes; /* [the same][n_par] */
    double *sums;   /* [2][n_par] over the column */
} evaluation;

static int
check(const ww_slit_samples *in)
{
    const int64_t *c = in->column_start, *s = in->sample_start;

    if (c[0] != 0 || c[in->n_column] != (int64_t)in->n_pixel || s[0] != 0 ||
        s[in->n_pixel] != (int64_t)in->n_sample)
        return WW_ERR_RANGE;
    for (size_t k = 0; k < in->n_column; k++)
        if (c[k + 1] < c[k])
            return WW_ERR_RANGE;
    for (size_t k = 0; k < in->n_pixel; k++)
        if (s[k + 1] < s[k])
            return WW_ERR_RANGE;
    return WW_OK;
}

static size_t
longest_column(const ww_slit_samples *in)
{
    size_t longest = 1;

    for (size_t k = 0; k < in->n_column; k++) {
        size_t n = (size_t)(in->column_start[k + 1] - in->column_start[k]);

        longest = n > longest ? n : longest;
    }
    return longest;
}

static void
take(ww_arena *arena, evaluation *e, const ww_profile_shape *shape, size_t n)
{
    ww_profile_take(arena, shape, &e->profile);
    e->value = ww_arena_take(arena, n, sizeof(double));
    e->slopes = ww_arena_take(arena, n * e->n_par, sizeof(double));
    e->sums = ww_arena_take(arena, 2 * e->n_par, sizeof(double));
}

/* Set up an evaluation; *room is to be freed. */
static int
begin(evaluation *e, const ww_profile_shape *shape, double width, int slopes,
      void **room)
{
    ww_arena arena = {NULL, 0};
    int status = check(e->in);
    size_t n;

    if (status == WW_OK)
        status = ww_profile_check(shape);
    if (status != WW_OK)
        return status;
    n = longest_column(e->in);
    e->n_par = slopes ? 1 + e->n_trace + 3 * shape->n_wing : 0;
    take(&arena, e, shape, n);
    arena.base = *room = malloc(arena.used);
    if (arena.base == NULL)
        return WW_ERR_NOMEM;
    arena.used = 0;
    take(&arena, e, shape, n);
    ww_profile_prepare(&e->profile, shape, width);
    return WW_OK;
}

static double
trace_at(const evaluation *e, double x)
{
    double y = 0.0;

    for (size_t k = 0; k < e->n_trace; k++)
        y = y * x + e->trace[k];
    return y;
}

/* The profile of a pixel; its derivatives go to slopes [n_par]. */
static double
pixel_profile(const evaluation *e, size_t pixel, double x, double shift,
              double *slopes)
{
    const ww_slit_samples *in = e->in;
    double sum = 0.0, by_width = 0.0, by_y = 0.0, power = 1.0;
    double *by_wings = e->n_par ? slopes + 1 + e->n_trace : NULL;

    for (size_t k = 0; k < e->n_par; k++)
        slopes[k] = 0.0;
    for (int64_t i = in->sample_start[pixel]; i < in->sample_start[pixel + 1];
         i++) {
        int moves = in->share[i] > 0.0;
        ww_profile_value v =
            ww_profile_at(&e->profile, in->y[i] - (moves ? shift : 0.0),
                          in->spread[i], in->share[i], by_wings);

        sum += in->share[i] * v.value;
        by_width += in->share[i] * v.by_width;
        if (moves)
            by_y += in->share[i] * v.by_y;
    }
    if (in->positive && sum < 0.0) {
        for (size_t k = 0; k < e->n_par; k++)
            slopes[k] = 0.0;
        return 0.0;
    }
    if (e->n_par) {
        slopes[0] = by_width;
        for (size_t k = e->n_trace; k-- > 0; power *= x)
            slopes[1 + k] = -by_y * power;
    }
    return sum;
}

/* The amplitude of a column and, in sums[0], its derivatives. Returns 0 where
 * there is no profile. */
static int
solve_amplitude(const evaluation *e, size_t first, size_t n, double *amplitude)
{
    const ww_slit_samples *in = e->in;
    double num = 0.0, den = 0.0, *by_num = e->sums, *by_den = e->sums + e->n_par;

    for (size_t k = 0; k < e->n_par; k++)
        by_num[k] = by_den[k] = 0.0;
    for (size_t i = 0; i < n; i++) {
        double p = e->value[i], w = in->weight[first + i];
        double d = in->diff[first + i];
        const double *slopes = e->slopes + i * e->n_par;

        num += d * p * w;
        den += p * p * w;
        for (size_t k = 0; k < e->n_par; k++) {
            by_num[k] += d * w * slopes[k];
            by_den[k] += 2.0 * p * w * slopes[k];
        }
    }
    if (!(den > 0.0))
        return 0;
    *amplitude = num / den;
    for (size_t k = 0; k < e->n_par; k++)
        by_num[k] = (by_num[k] - *amplitude * by_den[k]) / den;
    return 1;
}

/* The penalty of a column; its derivatives are added to the gradient. */
static double
column_penalty(const evaluation *e, size_t first, size_t n, double *gradient)
{
    const ww_slit_samples *in = e->in;
    double sum = 0.0, amplitude = 0.0;

    if (!solve_amplitude(e, first, n, &amplitude))
        return 0.0;
    for (size_t i = 0; i < n; i++) {
        double scale = in->inverse_error[first + i], p = e->value[i];
        double chi = (in->diff[first + i] - amplitude * p) * scale;
        double size = fabs(chi), pull = chi;
        const double *slopes = e->slopes + i * e->n_par;

        if (size < in->huber) {
            sum += 0.5 * chi * chi;
        } else {
            sum += in->huber * (size - 0.5 * in->huber);
            pull = copysign(in->huber, chi);
        }
        for (size_t k = 0; k < e->n_par; k++)
            gradient[k] -=
                pull * scale * (amplitude * slopes[k] + p * e->sums[k]);
    }
    return sum;
}

int
ww_slit_objective(const ww_slit_samples *samples,
                  const ww_profile_shape *shape, double width, size_t n_trace,
                  const double *trace, double *value, double *gradient)
{
    evaluation e = {.in = samples, .n_trace = n_trace, .trace = trace};
    void *room = NULL;
    double sum = 0.0;
    int status = begin(&e, shape, width, gradient != NULL, &room);

    if (status != WW_OK)
        return status;
    for (size_t k = 0; k < e.n_par; k++)
        gradient[k] = 0.0;
    for (size_t c = 0; c < samples->n_column; c++) {
        size_t first = (size_t)samples->column_start[c];
        size_t n = (size_t)samples->column_start[c + 1] - first;
        double x = samples->x[c], shift = trace_at(&e, x);

        for (size_t i = 0; i < n; i++)
            e.value[i] = pixel_profile(&e, first + i, x, shift,
                                       e.slopes + i * e.n_par);
        sum += column_penalty(&e, first, n, gradient);
    }
    *value = sum;
    free(room);
    return WW_OK;
}

int
ww_slit_slopes(const ww_slit_samples *samples, const ww_profile_shape *shape,
               double width, size_t n_trace, const double *trace,
               double *profile, double *slopes)
{
    evaluation e = {.in = samples, .n_trace = n_trace, .trace = trace};
    void *room = NULL;
    int status = begin(&e, shape, width, slopes != NULL, &room);

    if (status != WW_OK)
        return status;
    for (size_t c = 0; c < samples->n_column; c++) {
        double x = samples->x[c], shift = trace_at(&e, x);

        for (int64_t i = samples->column_start[c];
             i < samples->column_start[c + 1]; i++)
            profile[i] =
                pixel_profile(&e, (size_t)i, x, shift,
                              slopes ? slopes + (size_t)i * e.n_par : NULL);
    }
    free(room);
    return WW_OK;
}
