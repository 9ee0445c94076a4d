#include "star_finder.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The part of V that must be left: the noise of the fit grows to the square
 * root of two at most. */
static const double LEAST_INFORMATION = 0.5;

/* Taps are added up four at a time, which keeps the sums in registers. */
enum { TAPS_AT_ONCE = 4 };

/* One kernel pixel: its place relative to the centre, its weight, and the
 * Gaussian there. */
typedef struct {
    ptrdiff_t dy, dx;
    double weight, gauss;
} tap;

/* The rows under the kernel, each with half a kernel of margin at both ends.
 * Row y is in slot y modulo side, where y counts from -half. */
typedef struct {
    const ww_star_image *image;
    const ww_star_kernel *kernel;
    size_t side, width;
    double *value;   /* [side][width] */
    uint8_t *valid;  /* [side][width] the pixel can be used */
    uint8_t *flawed; /* [side][nx] an unusable pixel is within half columns */
    double *sum;     /* [nx] */
    uint8_t *dirty;  /* [nx] */
    size_t *at;      /* [n_inside] where the taps are for column 0 */
    tap *taps;       /* [side * side + TAPS_AT_ONCE] */
    size_t n_inside; /* those of the kernel, and with those of weight 0: */
    size_t n_tap;    /* a multiple of TAPS_AT_ONCE */
    double information;
} window;

/* Load row y - half of the image, which may be off it. */
static void
load_row(window *w, size_t y, int missing)
{
    size_t half = w->kernel->half, nx = w->image->nx, slot = y % w->side;
    double *value = w->value + slot * w->width;
    uint8_t *valid = w->valid + slot * w->width;
    uint8_t *flawed = w->flawed + slot * nx;

    memset(value, 0, w->width * sizeof *value);
    memset(valid, 0, w->width);
    if (y >= half && y - half < w->image->ny) {
        const float *from = w->image->value + (y - half) * nx;
        const uint8_t *mask =
            w->image->mask == NULL ? NULL : w->image->mask + (y - half) * nx;

        for (size_t x = 0; x < nx; x++)
            value[half + x] = (double)from[x];
        if (missing == WW_MISSING_POISON)
            return;
        for (size_t x = 0; x < nx; x++)
            valid[half + x] = isfinite(from[x]) && (mask == NULL || !mask[x]);
        for (size_t x = 0; x < nx; x++)
            value[half + x] = valid[half + x] ? value[half + x] : 0.0;
    }
    memset(flawed, 0, nx);
    for (size_t i = 0; i < w->side; i++)
        for (size_t x = 0; x < nx; x++)
            flawed[x] |= !valid[x + i];
}

static const double *
row_of(const window *w, size_t y, ptrdiff_t dy)
{
    size_t slot = (size_t)((ptrdiff_t)(y + w->kernel->half) + dy) % w->side;

    return w->value + slot * w->width + w->kernel->half;
}

/* The kernel pixels that are used, filled up with taps of weight 0. */
static void
list_taps(window *w)
{
    const ww_star_kernel *k = w->kernel;
    ptrdiff_t half = (ptrdiff_t)k->half;
    double sg = 0.0, sgg = 0.0;
    size_t n = 0;

    for (size_t t = 0; t < w->side * w->side; t++)
        if (k->inside[t]) {
            w->taps[n].dy = (ptrdiff_t)(t / w->side) - half;
            w->taps[n].dx = (ptrdiff_t)(t % w->side) - half;
            w->taps[n].gauss = k->gauss[t];
            w->taps[n++].weight = k->kernel[t];
            sg += k->gauss[t];
            sgg += k->gauss[t] * k->gauss[t];
        }
    w->information = sgg - sg * sg / (double)n;
    w->n_inside = n;
    while (n % TAPS_AT_ONCE != 0)
        w->taps[n++] = (tap){0, 0, 0.0, 0.0};
    w->n_tap = n;
}

static void
correlate_row(const window *w, size_t y)
{
    size_t nx = w->image->nx;

    memset(w->sum, 0, nx * sizeof *w->sum);
    for (const tap *t = w->taps; t < w->taps + w->n_tap; t += TAPS_AT_ONCE) {
        const double *a = row_of(w, y, t[0].dy) + t[0].dx;
        const double *b = row_of(w, y, t[1].dy) + t[1].dx;
        const double *c = row_of(w, y, t[2].dy) + t[2].dx;
        const double *d = row_of(w, y, t[3].dy) + t[3].dx;
        double ka = t[0].weight, kb = t[1].weight;
        double kc = t[2].weight, kd = t[3].weight;

        for (size_t x = 0; x < nx; x++)
            w->sum[x] += (ka * a[x] + kb * b[x]) + (kc * c[x] + kd * d[x]);
    }
}

/* The fit to the usable pixels under the kernel; the others have value 0. */
static double
fit_amplitude(const window *w, const size_t *at, size_t x)
{
    double n = 0.0, sg = 0.0, sgg = 0.0, sd = 0.0, sgd = 0.0, information;

    for (size_t t = 0; t < w->n_inside; t++) {
        double use = w->valid[at[t] + x], value = w->value[at[t] + x];
        double g = use * w->taps[t].gauss;

        n += use;
        sg += g;
        sgg += g * g;
        sd += value;
        sgd += g * value;
    }
    information = n > 0.0 ? sgg - sg * sg / n : 0.0;
    if (!(information >= LEAST_INFORMATION * w->information))
        return (double)INFINITY;
    return (sgd - sg * sd / n) / sqrt(information * w->information);
}

static void
refit_row(const window *w, size_t y)
{
    size_t nx = w->image->nx;

    for (size_t t = 0; t < w->n_inside; t++)
        w->at[t] =
            (size_t)(row_of(w, y, w->taps[t].dy) + w->taps[t].dx - w->value);
    memset(w->dirty, 0, nx);
    for (size_t j = 0; j < w->side; j++)
        for (size_t x = 0; x < nx; x++)
            w->dirty[x] |= w->flawed[j * nx + x];
    for (size_t x = 0; x < nx; x++)
        if (w->dirty[x])
            w->sum[x] = fit_amplitude(w, w->at, x);
}

static int
open_window(window *w)
{
    size_t nx = w->image->nx;

    w->side = 2 * w->kernel->half + 1;
    w->width = nx + 2 * w->kernel->half;
    w->value = malloc(w->side * w->width * sizeof *w->value);
    w->valid = malloc(w->side * w->width);
    w->flawed = malloc(w->side * nx);
    w->sum = malloc(nx * sizeof *w->sum);
    w->dirty = malloc(nx);
    w->taps = malloc((w->side * w->side + TAPS_AT_ONCE) * sizeof *w->taps);
    w->at = malloc(w->side * w->side * sizeof *w->at);
    return w->value && w->valid && w->flawed && w->sum && w->dirty &&
           w->taps && w->at;
}

static void
close_window(window *w)
{
    free(w->value);
    free(w->valid);
    free(w->flawed);
    free(w->sum);
    free(w->dirty);
    free(w->taps);
    free(w->at);
}

int
ww_star_correlate(const ww_star_image *image, const ww_star_kernel *kernel,
                  int missing, size_t row_start, size_t row_stop, float *out)
{
    window w = {.image = image, .kernel = kernel};

    if (image->ny == 0 || image->nx == 0)
        return WW_ERR_SHAPE;
    if (row_start > row_stop || row_stop > image->ny)
        return WW_ERR_RANGE;
    if (missing != WW_MISSING_FIT && missing != WW_MISSING_POISON)
        return WW_ERR_ARGUMENT;
    if (!open_window(&w)) {
        close_window(&w);
        return WW_ERR_NOMEM;
    }
    list_taps(&w);
    for (size_t j = 0; j + 1 < w.side; j++)
        load_row(&w, row_start + j, missing);
    for (size_t y = row_start; y < row_stop; y++) {
        load_row(&w, y + w.side - 1, missing);
        correlate_row(&w, y);
        if (missing == WW_MISSING_FIT)
            refit_row(&w, y);
        for (size_t x = 0; x < image->nx; x++)
            out[y * image->nx + x] = (float)w.sum[x];
    }
    close_window(&w);
    return WW_OK;
}

/* Whether a pixel is as high as all its neighbours. */
static int
is_peak(const float *c, size_t ny, size_t nx, size_t y, size_t x,
        size_t radius, int ties)
{
    ptrdiff_t r = (ptrdiff_t)radius;
    float height = c[y * nx + x];

    for (ptrdiff_t dy = -r; dy <= r; dy++)
        for (ptrdiff_t dx = -r; dx <= r; dx++) {
            ptrdiff_t yy = (ptrdiff_t)y + dy, xx = (ptrdiff_t)x + dx;
            int on =
                yy >= 0 && xx >= 0 && yy < (ptrdiff_t)ny && xx < (ptrdiff_t)nx;
            int before = dy < 0 || (dy == 0 && dx < 0);
            float other = on ? c[yy * (ptrdiff_t)nx + xx] : 0.0f;

            if (dy * dy + dx * dx > r * r)
                continue;
            if (other > height)
                return 0;
            if (ties == WW_TIES_FIRST && on && before && other == height)
                return 0;
        }
    return 1;
}

int
ww_star_peaks(const float *correlation, const uint8_t *mask, size_t ny,
              size_t nx, double threshold, size_t radius, int ties,
              size_t row_start, size_t row_stop, uint64_t *pixel,
              size_t capacity, size_t *found)
{
    size_t n = 0;

    if (ny == 0 || nx == 0)
        return WW_ERR_SHAPE;
    if (row_start > row_stop || row_stop > ny)
        return WW_ERR_RANGE;
    if (ties != WW_TIES_FIRST && ties != WW_TIES_ALL)
        return WW_ERR_ARGUMENT;
    for (size_t y = row_start; y < row_stop; y++)
        for (size_t x = 0; x < nx; x++) {
            size_t k = y * nx + x;

            /* Nearly all pixels leave here. */
            if (!((double)correlation[k] > threshold))
                continue;
            if (!isfinite(correlation[k]) || (mask != NULL && mask[k]))
                continue;
            if (!is_peak(correlation, ny, nx, y, x, radius, ties))
                continue;
            if (n < capacity)
                pixel[n] = k;
            n++;
        }
    *found = n;
    return WW_OK;
}
