#include "bspline_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bspline_covariance.h"
#include "clipped_mean.h"

/* What a spline cannot follow, in parts of the peak of the profile. Of 0.001
 * to 0.01, all do for peaks of up to 1000 standard deviations; the less, the
 * more the wings gain. */
static const double MODEL_ERROR = 0.002;

/* The state of one call. */
typedef struct {
    const ww_trace_samples *samples;
    const ww_column_options *options;
    const ww_column_fits *fits;
    ww_sample_window window;
    ww_bspline_work fit;
    ww_covariance_work covariance;
    double *weight, *factor;  /* of the samples in the window, or NULL */
    double *peak;             /* [n_column] largest samples, or NULL */
    double *chosen, *scratch; /* [width of the window] */
} work;

static void
init(work *w, ww_arena *arena)
{
    const ww_column_options *o = w->options;
    size_t width = o->n_left + 1 + o->n_right, size;
    int has = w->fits->covariance ? WW_BSPLINE_PIXEL : 0;

    if (width > w->samples->n_column)
        width = w->samples->n_column;
    size = width * w->samples->n_row;
    ww_window_init(&w->window, w->samples, o->is_weighted, width, arena);
    w->weight = w->factor = w->peak = NULL;
    if (o->is_weighted || o->is_tapered) {
        has |= WW_BSPLINE_WEIGHT;
        w->weight = ww_arena_take(arena, size, sizeof(double));
    }
    if (o->is_weighted) {
        has |= WW_BSPLINE_FACTOR;
        w->factor = ww_arena_take(arena, size, sizeof(double));
        w->peak = ww_arena_take(arena, w->samples->n_column, sizeof(double));
        w->chosen = ww_arena_take(arena, width, sizeof(double));
        w->scratch = ww_arena_take(arena, width, sizeof(double));
    }
    ww_bspline_init(&w->fit, size, o->fit.n_interval, has, arena);
    if (w->fits->covariance)
        ww_coefficient_covariance_init(&w->covariance, w->fit.max_knot, arena);
}

static size_t
count_valid(const ww_trace_samples *s, size_t column)
{
    size_t n = 0;

    for (size_t p = column * s->n_row; p < (column + 1) * s->n_row; p++)
        n += isfinite(s->flux[p]) && isfinite(s->alpha[p]);
    return n;
}

/* The standard deviation of a sample. */
static double
sample_error(const ww_trace_samples *s, int32_t pixel)
{
    size_t p = (size_t)pixel;
    double divisor = s->divisor ? s->divisor[p / s->n_row] : 1.0;

    return s->error[p] / fabs(divisor);
}

/* The largest sample of a column with an error above 0; NaN if there is none. */
static double
peak_of(const ww_trace_samples *s, size_t column)
{
    double divisor = s->divisor ? s->divisor[column] : 1.0, peak = NAN;

    for (size_t p = column * s->n_row; p < (column + 1) * s->n_row; p++)
        if (isfinite(s->alpha[p]) && s->error[p] > 0.0)
            peak = fmax(peak, s->flux[p] / divisor);
    return peak;
}

/* The peak of the profile in the window; cosmic rays do not count. */
static double
usual_peak(work *w)
{
    size_t n = 0;

    for (size_t i = w->window.start; i < w->window.stop; i++)
        if (isfinite(w->peak[i]))
            w->chosen[n++] = w->peak[i];
    return n ? ww_clip_mean(w->chosen, n, w->scratch, NULL).mean : 0.0;
}

/* The fit is good to a part of the peak. Without that, little but the wings of
 * a bright source would count, and the samples of its core be rejected. */
static void
weigh_by_error(work *w)
{
    const ww_sample_list *list = &w->window.list;
    double least = MODEL_ERROR * usual_peak(w);

    for (size_t i = 0; i < list->n; i++) {
        double error = sample_error(w->samples, list->pixel[i]);

        w->weight[i] = 1.0 / (error * error + least * least);
        w->factor[i] = sqrt(w->weight[i]);
    }
}

static void
taper(work *w, size_t column)
{
    const ww_column_options *o = w->options;
    const ww_sample_list *list = &w->window.list;
    size_t reach = o->n_left > o->n_right ? o->n_left : o->n_right;
    double inverse = 1.0 / (double)(reach + 1), middle = (double)column;
    double per_row = 1.0 / (double)w->samples->n_row;

    for (size_t i = 0; i < list->n; i++) {
        /* The half keeps rounding away from the next column. */
        int32_t at = (int32_t)(((double)list->pixel[i] + 0.5) * per_row);
        double d = ((double)at - middle) * inverse;
        double before = o->is_weighted ? w->weight[i] : 1.0;

        w->weight[i] = before * (1.0 - d * d);
    }
}

static void
move_window(work *w, size_t column)
{
    const ww_column_options *o = w->options;
    size_t start = column > o->n_left ? column - o->n_left : 0;
    size_t after = w->samples->n_column - column - 1;

    ww_window_move(&w->window, start,
                   column + 1 + (after < o->n_right ? after : o->n_right));
    if (o->is_weighted)
        weigh_by_error(w);
    if (o->is_tapered)
        taper(w, column);
}

/* The covariance of the spline that was just fitted; NaN if the samples are not
 * those of the spline any more. */
static void
set_covariance(work *w, float *covariance, const ww_bspline_result *result)
{
    const ww_trace_samples *s = w->samples;
    const ww_spline_samples *left = &w->fit.samples;
    double *variance = w->fit.scratch;

    if (!result->is_last) {
        for (size_t i = 0; i < result->n_knot * WW_SPLINE_ORDER; i++)
            covariance[i] = NAN;
        return;
    }
    ww_system_residuals(&w->fit.system, left, w->fit.residual);
    for (size_t p = 0; p < left->n; p++) {
        double r = w->fit.residual[p], error = NAN;

        if (s->error)
            error = sample_error(s, left->pixel[p]);
        if (left->factor)
            r /= left->factor[p];
        variance[p] = error > 0.0 && isfinite(error) ? error * error : r * r;
    }
    ww_coefficient_covariance(&w->covariance, &w->fit.system, left, variance,
                              covariance);
}

/* Fit the window with so many intervals into the line of a column. */
static void
attempt(work *w, size_t column, size_t n_interval, ww_bspline_result *result)
{
    const ww_column_fits *f = w->fits;
    ww_bspline_options options = w->options->fit;
    const ww_sample_list *list = &w->window.list;
    ww_spline_samples samples = {.n = list->n,
                                 .x = list->x,
                                 .y = list->y,
                                 .weight = w->weight,
                                 .factor = w->factor,
                                 .pixel = list->pixel};

    options.n_interval = n_interval;
    ww_bspline_fit_samples(&w->fit, &samples, &options,
                           f->knots + column * f->stride,
                           f->coefficients + column * f->stride, result, NULL);
}

static uint8_t
flags_of(const ww_bspline_result *result)
{
    switch (result->outcome) {
    case WW_BSPLINE_FITTED:
        return result->is_refined ? WW_COLUMN_REFINED : 0;
    case WW_BSPLINE_FEW:
        return WW_COLUMN_NO_SAMPLES;
    case WW_BSPLINE_SPARSE:
        return WW_COLUMN_TOO_SPARSE;
    case WW_BSPLINE_SINGULAR:
        return WW_COLUMN_SINGULAR;
    default:
        return 0;
    }
}

static void
clear_line(const ww_column_fits *f, size_t column)
{
    if (f->n_knot[column]) {
        memset(f->knots + column * f->stride, 0, f->stride * sizeof *f->knots);
        memset(f->coefficients + column * f->stride, 0,
               f->stride * sizeof *f->coefficients);
    }
    f->n_knot[column] = f->n_point[column] = f->n_rejected[column] = 0;
    f->lower[column] = f->upper[column] = NAN;
    f->flags[column] = 0;
}

static void
fit_column(work *w, size_t column)
{
    const ww_column_options *o = w->options;
    const ww_column_fits *f = w->fits;
    const ww_sample_list *list = &w->window.list;
    ww_bspline_result result;

    clear_line(f, column);
    if (count_valid(w->samples, column) <= o->min_valid) {
        f->flags[column] = WW_COLUMN_TOO_FEW;
        return;
    }
    f->n_point[column] = (int32_t)list->n;
    attempt(w, column, o->fit.n_interval, &result);
    f->flags[column] = flags_of(&result);
    if (result.outcome != WW_BSPLINE_FITTED && o->is_retried &&
        o->fit.n_interval > WW_COLUMN_LESS) {
        attempt(w, column, o->fit.n_interval - WW_COLUMN_LESS, &result);
        if (result.outcome == WW_BSPLINE_FITTED)
            f->flags[column] = flags_of(&result) | WW_COLUMN_FEWER_KNOTS;
    }
    if (result.outcome != WW_BSPLINE_FITTED)
        return;
    f->n_knot[column] = (int32_t)result.n_knot;
    f->n_rejected[column] = (int32_t)(list->n - result.n_used);
    f->lower[column] = list->x[0];
    f->upper[column] = list->x[list->n - 1];
    if (f->covariance)
        set_covariance(w, f->covariance + column * f->stride * WW_SPLINE_ORDER,
                       &result);
}

static int
check(const ww_trace_samples *s, const ww_column_options *o,
      const ww_column_fits *f, size_t start, size_t stop)
{
    if (!s->n_column || !s->n_row ||
        s->n_column > (size_t)INT32_MAX / s->n_row)
        return WW_ERR_SHAPE;
    if (start > stop || stop > s->n_column)
        return WW_ERR_RANGE;
    if (!o->fit.n_interval || isnan(o->fit.sigma_low) ||
        isnan(o->fit.sigma_high) || isnan(o->fit.space_ratio) ||
        (o->is_weighted && !s->error))
        return WW_ERR_ARGUMENT;
    if (f->stride < ww_bspline_room(o->fit.n_interval))
        return WW_ERR_SHAPE;
    return WW_OK;
}

int
ww_bspline_columns(const ww_trace_samples *samples,
                   const ww_column_options *options, const uint8_t *wanted,
                   const ww_column_fits *fits, size_t start, size_t stop)
{
    work w = {.samples = samples, .options = options, .fits = fits};
    ww_arena arena = {NULL, 0};
    int status = check(samples, options, fits, start, stop);

    if (status != WW_OK)
        return status;
    init(&w, &arena);
    arena = (ww_arena){malloc(arena.used), 0};
    if (!arena.base)
        return WW_ERR_NOMEM;
    init(&w, &arena);
    for (size_t column = 0; w.peak && column < samples->n_column; column++)
        w.peak[column] = peak_of(samples, column);
    for (size_t column = start; column < stop; column++) {
        if (wanted && !wanted[column])
            continue;
        move_window(&w, column);
        fit_column(&w, column);
    }
    free(arena.base);
    return WW_OK;
}
