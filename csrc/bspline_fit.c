#include "bspline_fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    DEGREE = WW_SPLINE_ORDER - 1,
    N_GAP = 10,    /* it is the tenth largest gap that counts */
    N_DROP = 2,    /* knots that a near-singular fit may lose: a short interval
                      at the end, and a gap beside it */
    N_ROUNDING = 8 /* room for knots that rounding may add */
};

/* A gap is too large if it lies so many deviations above the mean. */
static const double GAP_SIGMA = 5.0;

/* Nor is it if it is less than this times the mean, unless jwst is to be
 * reproduced: the gaps of a regular grid differ by rounding alone. */
static const double GAP_RATIO = 2.0;

/* The share of samples that has to be left after rejection. */
static const double MIN_KEPT = 0.8;

/* A pivot below this share of its diagonal: the coefficient hangs on rounding
 * errors of a millionth of itself. */
static const double TOLERANCE = 1e-10;

/* A pivot below this share of the mean diagonal: a coefficient whose error is a
 * hundred times that of most, and of which the moments know twelve digits. */
static const double WEAKEST = 1e-4;

/* To reproduce the coefficients of an orthogonal solution to ten digits,
 * the normal equations must not lose more than five. */
static const double TOLERANCE_COMPAT = 1e-5;

size_t
ww_bspline_room(size_t n_interval)
{
    return n_interval + WW_SPLINE_ENDS + N_ROUNDING;
}

void
ww_bspline_init(ww_bspline_work *work, size_t max_sample, size_t n_interval,
                int has, ww_arena *arena)
{
    ww_spline_samples *s = &work->samples;

    memset(work, 0, sizeof *work);
    work->max_sample = max_sample;
    work->max_knot = ww_bspline_room(n_interval);
    s->x = ww_arena_take(arena, max_sample, sizeof *s->x);
    s->y = ww_arena_take(arena, max_sample, sizeof *s->y);
    if (has & WW_BSPLINE_WEIGHT)
        s->weight = ww_arena_take(arena, max_sample, sizeof *s->weight);
    if (has & WW_BSPLINE_FACTOR)
        s->factor = ww_arena_take(arena, max_sample, sizeof *s->factor);
    if (has & WW_BSPLINE_PIXEL)
        s->pixel = ww_arena_take(arena, max_sample, sizeof *s->pixel);
    work->gap = ww_arena_take(arena, max_sample, sizeof *work->gap);
    work->residual = ww_arena_take(arena, max_sample, sizeof(double));
    work->scratch = ww_arena_take(arena, max_sample + 1, sizeof(double));
    ww_system_init(&work->system, work->max_knot, arena);
}

/* Copy samples, or move them to the left. */
static void
copy_samples(ww_spline_samples *to, size_t at, const ww_spline_samples *from,
             size_t begin, size_t n)
{
    memmove(to->x + at, from->x + begin, n * sizeof *to->x);
    memmove(to->y + at, from->y + begin, n * sizeof *to->y);
    if (to->weight)
        memmove(to->weight + at, from->weight + begin, n * sizeof *to->weight);
    if (to->factor)
        memmove(to->factor + at, from->factor + begin, n * sizeof *to->factor);
    if (to->pixel)
        memmove(to->pixel + at, from->pixel + begin, n * sizeof *to->pixel);
}

/* Fill work->gap. Returns the number of gaps that count. */
static size_t
find_gaps(ww_bspline_work *work, const double *x, size_t n,
          const ww_bspline_options *options)
{
    double *gap = work->gap;

    gap[0] = options->compat ? fabs(x[0]) : 0.0;
    if (options->compat && options->single)
        for (size_t i = 1; i < n; i++)
            gap[i] = (float)(x[i] - x[i - 1]);
    else
        for (size_t i = 1; i < n; i++)
            gap[i] = x[i] - x[i - 1];
    return options->compat ? n : n - 1;
}

/* Step 1: copy the samples without those after a wide gap. */
static void
leave_out_after_gaps(ww_bspline_work *work, const ww_spline_samples *samples,
                     size_t n_gap, const ww_bspline_options *options)
{
    const double *gap = work->gap;
    ww_clipped_mean mean = ww_clip_mean(gap + samples->n - n_gap, n_gap,
                                        work->scratch, &work->guess);
    double widest = mean.mean + GAP_SIGMA * mean.deviation;
    size_t begin = 0;

    if (!options->compat)
        widest = fmax(widest, GAP_RATIO * mean.mean);
    work->samples.n = 0;
    for (size_t i = 0; i <= samples->n; i++) {
        if (i < samples->n && !(gap[i] > widest))
            continue;
        copy_samples(&work->samples, work->samples.n, samples, begin,
                     i - begin);
        work->samples.n += i - begin;
        begin = i + 1;
    }
}

/* The spacing of n_interval knots over the samples. */
static double
find_spacing(const ww_spline_samples *s, const ww_bspline_options *options)
{
    double range = s->x[s->n - 1] - s->x[0];

    if (options->compat && options->single)
        return (float)range / (float)options->n_interval;
    return range / (double)options->n_interval;
}

/* Step 2. */
static int
is_sparse(const ww_bspline_work *work, size_t n, double spacing,
          const ww_bspline_options *options)
{
    double widest = options->space_ratio * spacing;
    size_t n_wide = 0;

    if (options->compat && options->single)
        widest = (float)options->space_ratio * (float)spacing;
    for (size_t i = 0; i < n; i++)
        n_wide += (size_t)(work->gap[i] > widest);
    return n_wide >= N_GAP;
}

/* The inner knots of jwst: as many as a range of floating-point numbers gives,
 * in the type of the samples. Returns their number, which may be NaN; origin
 * and step are set. */
static double
compat_range(const ww_spline_samples *s, const ww_bspline_options *options,
             double *origin, double *step)
{
    double first = s->x[0], last = s->x[s->n - 1];
    double spacing = find_spacing(s, options);

    if (options->single) {
        float d = (float)spacing;
        float begin = (float)first + d / 2.0f, end = (float)last - d / 2.0f;
        float next = begin + d;

        *origin = begin;
        *step = (double)next - (double)begin;
        return ceil((double)((end - begin) / d));
    }
    *origin = first + spacing / 2.0;
    *step = (*origin + spacing) - *origin;
    return ceil((last - spacing / 2.0 - *origin) / spacing);
}

/* The knots for the samples: the inner ones begin half a spacing after the
 * first sample. Returns 0 if there are none. */
static int
place_knots(ww_bspline_work *work, const ww_bspline_options *options)
{
    const ww_spline_samples *s = &work->samples;
    ww_spline_system *system = &work->system;
    double n_inner = (double)(options->n_interval - 1);
    double first = s->x[0], last = s->x[s->n - 1];
    double step = find_spacing(s, options), origin = first + 0.5 * step;
    size_t n;

    if (!(step > 0.0))
        return 0;
    if (options->compat)
        n_inner = compat_range(s, options, &origin, &step);
    if (!(n_inner >= 0.0 && step > 0.0) ||
        n_inner > (double)(work->max_knot - WW_SPLINE_ENDS))
        return 0;
    n = (size_t)n_inner;
    system->n_knot = n + WW_SPLINE_ENDS;
    for (size_t i = 0; i < WW_SPLINE_ORDER; i++) {
        system->knots[i] = first;
        system->knots[WW_SPLINE_ORDER + n + i] = last;
    }
    for (size_t i = 0; i < n; i++)
        system->knots[WW_SPLINE_ORDER + i] = origin + (double)i * step;
    for (size_t i = DEGREE; i < DEGREE + n + 1; i++)
        if (!(system->knots[i] < system->knots[i + 1]))
            return 0;
    system->step = step;
    system->is_equal = 1;
    ww_system_set_knots(system);
    return 1;
}

/* Solve; sets is_refined where the plain way would not do. Returns 0 if the
 * samples do not determine the spline. */
static int
solve(ww_bspline_work *work, const ww_bspline_options *options,
      int *is_refined)
{
    ww_spline_system *system = &work->system;
    size_t n = system->n_knot - WW_SPLINE_ORDER, bad;

    bad = ww_system_solve(system, &work->samples,
                          options->compat ? TOLERANCE_COMPAT : TOLERANCE,
                          WEAKEST);
    if (bad == n)
        return 1;
    *is_refined = 1;
    if (options->compat) {
        if (work->samples.n < WW_SPLINE_ORDER)
            return 0;
        return ww_system_rotate(system, &work->samples) == n;
    }
    for (int i = 0; i < N_DROP && bad < n; i++) {
        if (!ww_system_drop_knot(system, bad))
            return 0;
        n--;
        ww_system_locate(system, &work->samples);
        bad = ww_system_solve(system, &work->samples, TOLERANCE, WEAKEST);
    }
    return bad == n;
}

/* The standard deviation about the mean. */
static double
deviation(const double *r, size_t n)
{
    double sum[4] = {0}, square[4] = {0};
    size_t whole = n / 4 * 4;
    double mean;

    for (size_t i = 0; i < whole; i += 4)
        for (size_t l = 0; l < 4; l++) {
            sum[l] += r[i + l];
            square[l] += r[i + l] * r[i + l];
        }
    for (size_t i = whole; i < n; i++) {
        sum[0] += r[i];
        square[0] += r[i] * r[i];
    }
    mean = ((sum[0] + sum[1]) + (sum[2] + sum[3])) / (double)n;
    return sqrt(
        fmax(((square[0] + square[1]) + (square[2] + square[3])) / (double)n -
                 mean * mean,
             0.0));
}

static size_t
count_outside(const double *r, size_t n, double low, double high)
{
    double count[4] = {0};
    size_t whole = n / 4 * 4;

    for (size_t i = 0; i < whole; i += 4)
        for (size_t l = 0; l < 4; l++)
            count[l] += (r[i + l] < low) | (r[i + l] > high) ? 1.0 : 0.0;
    for (size_t i = whole; i < n; i++)
        count[0] += (r[i] < low) | (r[i] > high) ? 1.0 : 0.0;
    return (size_t)((count[0] + count[1]) + (count[2] + count[3]));
}

/* Take the samples with residuals outside away, interval by interval: the
 * others keep their sums. */
static void
reject(ww_bspline_work *work, double low, double high)
{
    ww_spline_samples *s = &work->samples;
    ww_spline_system *system = &work->system;
    const double *r = work->residual;
    size_t out = 0;

    for (size_t q = 0; q < system->n_interval; q++) {
        size_t begin = system->first[q], end = system->first[q + 1];

        system->first[q] = out;
        if (!count_outside(r + begin, end - begin, low, high)) {
            if (out < begin)
                copy_samples(s, out, s, begin, end - begin);
            out += end - begin;
            continue;
        }
        system->is_new[q] = 1;
        for (size_t p = begin; p < end; p++) {
            s->x[out] = s->x[p];
            s->y[out] = s->y[p];
            if (s->weight)
                s->weight[out] = s->weight[p];
            if (s->factor)
                s->factor[out] = s->factor[p];
            if (s->pixel)
                s->pixel[out] = s->pixel[p];
            out += (size_t)!((r[p] < low) | (r[p] > high));
        }
    }
    system->first[system->n_interval] = s->n = out;
}

/* Set aside the spline of the system. */
static void
keep_spline(const ww_bspline_work *work, double *knots, double *coefficients,
            ww_bspline_result *result)
{
    const ww_spline_system *system = &work->system;
    size_t n = system->n_knot, room = work->max_knot;

    memcpy(knots, system->knots, n * sizeof *knots);
    memset(knots + n, 0, (room - n) * sizeof *knots);
    n -= WW_SPLINE_ORDER;
    memcpy(coefficients, system->right, n * sizeof *coefficients);
    memset(coefficients + n, 0, (room - n) * sizeof *coefficients);
    result->n_knot = system->n_knot;
    result->n_used = work->samples.n;
}

/* Step 3. Returns an outcome. */
static int
iterate(ww_bspline_work *work, const ww_bspline_options *options,
        double *knots, double *coefficients, ww_bspline_result *result,
        int64_t *log)
{
    ww_spline_samples *s = &work->samples;
    size_t n_begin = s->n;
    int has_moved = 1, is_refined = 0;

    for (size_t round = 0; round < options->n_iteration; round++) {
        double first, last, low, high, sigma;
        size_t n_bad;

        result->is_last = 0;
        if (has_moved) {
            if (!s->n || !place_knots(work, options))
                return WW_BSPLINE_SINGULAR;
            ww_system_locate(&work->system, s);
        }
        if (!solve(work, options, &is_refined))
            return WW_BSPLINE_SINGULAR;
        keep_spline(work, knots, coefficients, result);
        result->is_refined = is_refined;
        result->is_last = 1;
        if (round + 1 == options->n_iteration)
            break;
        ww_system_residuals(&work->system, s, work->residual);
        sigma = deviation(work->residual, s->n);
        low = -options->sigma_low * sigma;
        high = options->sigma_high * sigma;
        n_bad = count_outside(work->residual, s->n, low, high);
        if (log) {
            log[2 * round] = (int64_t)n_bad;
            log[2 * round + 1] = (int64_t)(s->n - n_bad);
        }
        result->n_iteration = round + 1;
        result->has_stopped =
            (double)(s->n - n_bad) < MIN_KEPT * (double)n_begin;
        if (result->has_stopped || !n_bad)
            break;
        first = s->x[0];
        last = s->x[s->n - 1];
        reject(work, low, high);
        has_moved = s->x[0] != first || s->x[s->n - 1] != last;
    }
    return WW_BSPLINE_FITTED;
}

void
ww_bspline_fit_samples(ww_bspline_work *work, const ww_spline_samples *samples,
                       const ww_bspline_options *options, double *knots,
                       double *coefficients, ww_bspline_result *result,
                       int64_t *log)
{
    size_t n = samples->n, n_gap;

    memset(result, 0, sizeof *result);
    result->outcome = WW_BSPLINE_FEW;
    if (n < 2)
        return;
    n_gap = find_gaps(work, samples->x, n, options);
    if (n_gap < N_GAP)
        return;
    leave_out_after_gaps(work, samples, n_gap, options);
    if (!work->samples.n)
        return;
    result->outcome = WW_BSPLINE_SPARSE;
    if (is_sparse(work, n, find_spacing(&work->samples, options), options))
        return;
    result->outcome = WW_BSPLINE_NONE;
    if (!options->n_iteration)
        return;
    result->outcome = iterate(work, options, knots, coefficients, result, log);
    /* jwst keeps the spline of the iteration before. */
    if (options->compat && result->n_knot)
        result->outcome = WW_BSPLINE_FITTED;
    if (result->outcome != WW_BSPLINE_FITTED && result->n_knot) {
        memset(knots, 0, result->n_knot * sizeof *knots);
        memset(coefficients, 0, result->n_knot * sizeof *coefficients);
        result->n_knot = result->n_used = 0;
    }
}

static int
is_usable(const double *x, const double *y, size_t n,
          const ww_bspline_options *options)
{
    if (!options->n_interval || isnan(options->sigma_low) ||
        isnan(options->sigma_high) || isnan(options->space_ratio))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!isfinite(x[i]) || !isfinite(y[i]) || (i && x[i] < x[i - 1]))
            return 0;
    return 1;
}

int
ww_bspline_fit(const double *x, const double *y, size_t n,
               const ww_bspline_options *options, double *knots,
               double *coefficients, ww_bspline_result *result, int64_t *log)
{
    ww_bspline_work work;
    ww_arena arena = {NULL, 0};
    ww_spline_samples samples = {.n = n};

    if (!is_usable(x, y, n, options))
        return WW_ERR_ARGUMENT;
    ww_bspline_init(&work, n, options->n_interval, 0, &arena);
    arena = (ww_arena){malloc(arena.used), 0};
    if (!arena.base)
        return WW_ERR_NOMEM;
    ww_bspline_init(&work, n, options->n_interval, 0, &arena);
    /* The fit copies them; it takes pointers that it never writes through. */
    samples.x = (double *)(uintptr_t)x;
    samples.y = (double *)(uintptr_t)y;
    ww_bspline_fit_samples(&work, &samples, options, knots, coefficients,
                           result, log);
    free(arena.base);
    return WW_OK;
}
