#include "slit_profile.h"

#include <math.h>
#include <stdlib.h>

#include "profile_shape.h"

/* The own derivatives of a pixel: by the width, by the place of the trace in
 * its column, and three for each wing. Those by the coefficients of the trace
 * are the second one times powers of x. */
enum { BY_WIDTH, BY_PLACE, BY_WINGS };

/* One evaluation: the parameters, and room for the pixels of a column. */
typedef struct {
    const ww_slit_samples *in;
    ww_ready_profile profile;
    size_t n_trace, n_own; /* n_own 0: no derivatives */
    const double *trace;
    size_t longest;           /* pixels of the longest column */
    double *value;            /* [longest] */
    double *slopes;           /* [n_own][longest] */
    double *pull;             /* [longest] */
    double *sums;             /* [n_own] over the column */
    double *bends;            /* [n_own] the same, second derivatives */
    ww_profile_values *wings; /* [n_wing], NULL without derivatives */
} evaluation;

static int
rises(const int64_t *starts, size_t n, size_t end)
{
    if (starts[0] != 0 || starts[n] != (int64_t)end)
        return 0;
    for (size_t k = 0; k < n; k++)
        if (starts[k + 1] < starts[k])
            return 0;
    return 1;
}

int
ww_slit_samples_check(const ww_slit_samples *in)
{
    if (!rises(in->column_start, in->n_column, in->n_pixel) ||
        !rises(in->sample_start, in->n_column, in->n_sample))
        return WW_ERR_RANGE;
    for (size_t c = 0; c < in->n_column; c++) {
        int64_t first = in->column_start[c], stop = in->column_start[c + 1];

        for (int64_t i = in->sample_start[c]; i < in->sample_start[c + 1]; i++)
            if (in->pixel[i] < first || in->pixel[i] >= stop)
                return WW_ERR_RANGE;
    }
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
take(ww_arena *arena, evaluation *e, const ww_profile_shape *shape)
{
    ww_profile_take(arena, shape, &e->profile);
    e->value = ww_arena_take(arena, e->longest, sizeof(double));
    e->slopes = ww_arena_take(arena, e->longest * e->n_own, sizeof(double));
    e->pull = ww_arena_take(arena, e->longest, sizeof(double));
    e->sums = ww_arena_take(arena, e->n_own, sizeof(double));
    e->bends = ww_arena_take(arena, e->n_own, sizeof(double));
    if (e->n_own > BY_WINGS)
        e->wings = ww_arena_take(arena, shape->n_wing, sizeof *e->wings);
}

/* Set up an evaluation; *room is to be freed. */
static int
begin(evaluation *e, const ww_profile_shape *shape, double width, int slopes,
      void **room)
{
    ww_arena arena = {NULL, 0};
    int status = ww_profile_check(shape);

    if (status != WW_OK)
        return status;
    e->longest = longest_column(e->in);
    e->n_own = slopes ? BY_WINGS + 3 * shape->n_wing : 0;
    take(&arena, e, shape);
    arena.base = *room = malloc(arena.used);
    if (arena.base == NULL)
        return WW_ERR_NOMEM;
    arena.used = 0;
    take(&arena, e, shape);
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

/* Samples of a column that are evaluated at once; pixels are counted from the
 * first of the column. */
typedef struct {
    size_t n, pixel[WW_PROFILE_CHUNK];
    double y[WW_PROFILE_CHUNK], spread[WW_PROFILE_CHUNK];
    double share[WW_PROFILE_CHUNK];
} chunk;

static void
add(double *plane, const chunk *of, const double *value)
{
    for (size_t i = 0; i < of->n; i++)
        plane[of->pixel[i]] += of->share[i] * value[i];
}

/* Add samples to the profiles of their pixels. */
static void
add_chunk(const evaluation *e, chunk *of)
{
    ww_profile_values v;
    double *wings = e->slopes + BY_WINGS * e->longest;

    ww_profile_at(&e->profile, of->n, of->y, of->spread, &v, e->wings);
    add(e->value, of, v.value);
    if (e->n_own != 0) {
        add(e->slopes + BY_WIDTH * e->longest, of, v.by_width);
        for (size_t m = 0; BY_WINGS + 3 * m < e->n_own; m++) {
            add(wings + 3 * m * e->longest, of, e->wings[m].value);
            add(wings + (3 * m + 1) * e->longest, of, e->wings[m].by_width);
            add(wings + (3 * m + 2) * e->longest, of, e->wings[m].by_y);
        }
        for (size_t i = 0; i < of->n; i++) /* only what is added moves */
            v.by_y[i] = of->share[i] > 0.0 ? -v.by_y[i] : 0.0;
        add(e->slopes + BY_PLACE * e->longest, of, v.by_y);
    }
    of->n = 0;
}

/* Add the samples of a column that are not too far from the trace. */
static void
add_samples(const evaluation *e, size_t c)
{
    const ww_slit_samples *in = e->in;
    double shift = trace_at(e, in->x[c]);
    int ends = e->profile.shape->table == NULL;
    chunk of;

    of.n = 0;
    for (int64_t i = in->sample_start[c]; i < in->sample_start[c + 1]; i++) {
        double y = in->y[i] - (in->share[i] > 0.0 ? shift : 0.0);

        of.pixel[of.n] = (size_t)(in->pixel[i] - in->column_start[c]);
        of.y[of.n] = y;
        of.spread[of.n] = in->spread[i];
        of.share[of.n] = in->share[i];
        /* One that is too far is overwritten by the next. */
        of.n += !(ends & ww_profile_is_far(&e->profile, y, in->spread[i]));
        if (of.n == WW_PROFILE_CHUNK)
            add_chunk(e, &of);
    }
    add_chunk(e, &of);
}

/* The profile of the pixels of a column, and its derivatives. */
static void
column_profile(const evaluation *e, size_t c)
{
    size_t n = (size_t)(e->in->column_start[c + 1] - e->in->column_start[c]);

    for (size_t i = 0; i < n; i++)
        e->value[i] = 0.0;
    for (size_t k = 0; k < e->n_own; k++)
        for (size_t i = 0; i < n; i++)
            e->slopes[k * e->longest + i] = 0.0;
    add_samples(e, c);
    if (!e->in->positive)
        return;
    for (size_t i = 0; i < n; i++) {
        if (!(e->value[i] < 0.0))
            continue;
        e->value[i] = 0.0;
        for (size_t k = 0; k < e->n_own; k++)
            e->slopes[k * e->longest + i] = 0.0;
    }
}

/* The amplitude of a column and, in sums, its derivatives. Returns 0 where
 * there is no profile. */
static int
solve_amplitude(const evaluation *e, size_t first, size_t n, double *amplitude)
{
    const double *diff = e->in->diff + first, *weight = e->in->weight + first;
    const double *p = e->value;
    double num = 0.0, den = 0.0;

    for (size_t i = 0; i < n; i++) {
        num += diff[i] * p[i] * weight[i];
        den += p[i] * p[i] * weight[i];
    }
    if (!(den > 0.0))
        return 0;
    *amplitude = num / den;
    if (e->n_own)
        for (size_t i = 0; i < n; i++)
            e->pull[i] = (diff[i] - 2.0 * *amplitude * p[i]) * weight[i];
    for (size_t k = 0; k < e->n_own; k++) {
        const double *slope = e->slopes + k * e->longest;
        double sum = 0.0;

        for (size_t i = 0; i < n; i++)
            sum += e->pull[i] * slope[i];
        e->sums[k] = sum / den;
    }
    return 1;
}

/* The second derivatives of the penalty of a column; sums are those of its
 * amplitude. Pixels beyond the square part have none. */
static void
column_bends(const evaluation *e, size_t first, size_t n, double amplitude)
{
    const ww_slit_samples *in = e->in;

    for (size_t k = 0; k < e->n_own; k++) {
        const double *slope = e->slopes + k * e->longest;
        double sum = 0.0;

        for (size_t i = 0; i < n; i++) {
            double scale = in->inverse_error[first + i], p = e->value[i];
            double chi = (in->diff[first + i] - amplitude * p) * scale;
            double by = (amplitude * slope[i] + e->sums[k] * p) * scale;

            sum += fabs(chi) < in->huber ? by * by : 0.0;
        }
        e->bends[k] = sum;
    }
}

/* The penalty of a column; sums becomes its own derivatives. */
static double
column_penalty(const evaluation *e, size_t first, size_t n, double amplitude)
{
    const ww_slit_samples *in = e->in;
    double sum = 0.0, by_amplitude = 0.0;

    for (size_t i = 0; i < n; i++) {
        double scale = in->inverse_error[first + i], p = e->value[i];
        double chi = (in->diff[first + i] - amplitude * p) * scale;
        double size = fabs(chi), pull = chi;

        if (size < in->huber) {
            sum += 0.5 * chi * chi;
        } else {
            sum += in->huber * (size - 0.5 * in->huber);
            pull = copysign(in->huber, chi);
        }
        e->pull[i] = pull * scale;
        by_amplitude += e->pull[i] * p;
    }
    for (size_t k = 0; k < e->n_own; k++) {
        const double *slope = e->slopes + k * e->longest;
        double by_slope = 0.0;

        for (size_t i = 0; i < n; i++)
            by_slope += e->pull[i] * slope[i];
        e->sums[k] = -(amplitude * by_slope + by_amplitude * e->sums[k]);
    }
    return sum;
}

/* Add the own derivatives of something in a column, stride apart, to those by
 * all parameters; for second derivatives, with the square of x. */
static void
add_slopes(const evaluation *e, double x, const double *own, size_t stride,
           double *to)
{
    double power = 1.0;

    to[0] += own[BY_WIDTH * stride];
    for (size_t k = e->n_trace; k-- > 0; power *= x)
        to[1 + k] += own[BY_PLACE * stride] * power;
    for (size_t k = BY_WINGS; k < e->n_own; k++)
        to[e->n_trace + k - 1] += own[k * stride];
}

static size_t
n_parameter(const evaluation *e)
{
    return e->n_own ? e->n_own - 1 + e->n_trace : 0;
}

int
ww_slit_objective(const ww_slit_samples *samples,
                  const ww_profile_shape *shape, double width, size_t n_trace,
                  const double *trace, double *value, double *gradient,
                  double *bend)
{
    evaluation e = {.in = samples, .n_trace = n_trace, .trace = trace};
    void *room = NULL;
    double sum = 0.0, amplitude = 0.0;
    int status = begin(&e, shape, width, gradient != NULL, &room);

    if (status != WW_OK)
        return status;
    for (size_t k = 0; k < n_parameter(&e); k++)
        gradient[k] = 0.0;
    for (size_t k = 0; bend && k < n_parameter(&e); k++)
        bend[k] = 0.0;
    for (size_t c = 0; c < samples->n_column; c++) {
        size_t first = (size_t)samples->column_start[c];
        size_t n = (size_t)samples->column_start[c + 1] - first;

        column_profile(&e, c);
        if (!solve_amplitude(&e, first, n, &amplitude))
            continue;
        if (bend) {
            column_bends(&e, first, n, amplitude);
            add_slopes(&e, samples->x[c] * samples->x[c], e.bends, 1, bend);
        }
        sum += column_penalty(&e, first, n, amplitude);
        if (e.n_own)
            add_slopes(&e, samples->x[c], e.sums, 1, gradient);
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
    size_t n_par = n_parameter(&e);

    if (status != WW_OK)
        return status;
    for (size_t k = 0; k < samples->n_pixel * n_par; k++)
        slopes[k] = 0.0;
    for (size_t c = 0; c < samples->n_column; c++) {
        size_t first = (size_t)samples->column_start[c];
        size_t n = (size_t)samples->column_start[c + 1] - first;

        column_profile(&e, c);
        for (size_t i = 0; i < n; i++)
            profile[first + i] = e.value[i];
        for (size_t i = 0; n_par && i < n; i++)
            add_slopes(&e, samples->x[c], e.slopes + i, e.longest,
                       slopes + (first + i) * n_par);
    }
    free(room);
    return WW_OK;
}
