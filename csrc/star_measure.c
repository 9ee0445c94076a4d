#include "star_measure.h"

#include <math.h>
#include <stdlib.h>

/* FWHM of a Gaussian over its sigma: 2 sqrt(2 ln 2). */
static const double FWHM_PER_SIGMA = 2.3548200450309493;

/* Filling is repeated until the position changes by less than this, in
 * pixels: a hundredth of the error of a bright star. Each round removes a
 * good part of the error that is left, so the limit of rounds is a guard. */
static const double FILL_TOLERANCE = 1e-5;
enum { FILL_ROUNDS = 100 };

typedef struct {
    const ww_star_image *image;
    const ww_star_kernel *kernel;
    const float *correlation;
    int missing;
    size_t side;
    double *data;    /* [side][side] pixels around the peak, and */
    double *shape;   /* [side][side] the correlation; both 0 off the image */
    double *above;   /* [side][side] what starfind sees */
    uint8_t *usable; /* [side][side] */
    int is_complete;
} cutout;

/* What a method finds, relative to the peak pixel. */
typedef struct {
    double dx, dy, flux, peak, sharpness, roundness[2];
} star;

static void
cut(cutout *c, size_t y, size_t x)
{
    ptrdiff_t half = (ptrdiff_t)c->kernel->half;
    ptrdiff_t ny = (ptrdiff_t)c->image->ny, nx = (ptrdiff_t)c->image->nx;

    c->is_complete = 1;
    for (size_t t = 0; t < c->side * c->side; t++) {
        ptrdiff_t yy = (ptrdiff_t)(y + t / c->side) - half;
        ptrdiff_t xx = (ptrdiff_t)(x + t % c->side) - half;
        int on = yy >= 0 && xx >= 0 && yy < ny && xx < nx;
        size_t k = on ? (size_t)(yy * nx + xx) : 0;

        c->data[t] = on ? (double)c->image->value[k] : 0.0;
        c->shape[t] = on ? (double)c->correlation[k] : 0.0;
        if (c->missing == WW_MISSING_FIT) {
            int masked = c->image->mask != NULL && c->image->mask[k];

            c->usable[t] = on && !masked && isfinite(c->data[t]);
            c->is_complete &= c->usable[t];
            c->shape[t] = isfinite(c->shape[t]) ? c->shape[t] : 0.0;
        }
    }
}

/* One axis of DAOFIND's position: its shift and height, NaN if there is no
 * star. The weights fall linearly from the centre; those across the axis make
 * the marginal sums, those along it weigh them in the fit. */
static double
marginal_fit(const cutout *c, int along_x, double *height)
{
    size_t side = c->side;
    double h = (double)c->kernel->half;
    double p = 0.0, sg = 0.0, sgg = 0.0, sd = 0.0, sdg = 0.0;
    double slope = 0.0, slope2 = 0.0, sgs = 0.0, sds = 0.0, moment = 0.0;
    double over, under, shift;

    for (size_t i = 0; i < side; i++) {
        double gauss = 0.0, data = 0.0, offset = h - (double)i;
        double w = h + 1.0 - fabs(offset), tilted;

        for (size_t j = 0; j < side; j++) {
            size_t t = along_x ? j * side + i : i * side + j;
            double across = h + 1.0 - fabs(h - (double)j);

            gauss += across * c->kernel->gauss[t];
            data += across * c->data[t];
        }
        tilted = gauss * offset;
        p += w;
        sg += w * gauss;
        sgg += w * gauss * gauss;
        sd += w * data;
        sdg += w * data * gauss;
        slope += w * tilted;
        slope2 += w * tilted * tilted;
        sgs += w * gauss * tilted;
        sds += w * data * tilted;
        moment -= w * data * offset;
    }
    over = sdg - sd * sg / p;
    under = sgg - sg * sg / p;
    if (!(over > 0.0 && under > 0.0))
        return *height = (double)NAN;
    *height = over / under;
    shift = (sgs - (sds - slope * sd)) * c->kernel->sigma * c->kernel->sigma /
            (*height * slope2);
    if (fabs(shift) > 0.5 * (double)side) {
        /* jwst's libraries have the sign of this moment wrong in x. */
        int wrong = along_x && c->missing == WW_MISSING_POISON;

        shift = sd == 0.0 ? 0.0 : (wrong ? -moment : moment) / sd;
    }
    return fabs(shift) > 0.5 * (double)side ? 0.0 : shift;
}

/* 2 S2 / S4 of Stetson: quadrants of the correlation against each other. */
static double
symmetry(const cutout *c)
{
    size_t h = c->kernel->half;
    double s2 = 0.0, s4 = 0.0;

    for (size_t t = 0; t < c->side * c->side; t++) {
        size_t j = t / c->side, i = t % c->side;
        double value = c->shape[t];

        if (j == h && i == h)
            continue;
        s4 += fabs(value);
        if ((j <= h && i > h) || (j >= h && i < h))
            s2 -= value;
        else
            s2 += value;
    }
    return 2.0 * s2 / s4;
}

static star
measure_daofind(const cutout *c)
{
    size_t middle = c->side * c->side / 2;
    double hx, hy, others = 0.0, n = 0.0, amplitude = 0.0;
    star s = {.peak = c->data[middle]};

    s.dx = marginal_fit(c, 1, &hx);
    s.dy = marginal_fit(c, 0, &hy);
    for (size_t t = 0; t < c->side * c->side; t++) {
        s.flux += c->data[t];
        amplitude += c->kernel->kernel[t] * c->data[t];
        if (c->kernel->inside[t] && t != middle) {
            others += c->data[t];
            n += 1.0;
        }
    }
    /* With filled pixels, the correlation of the filled cutout. */
    if (c->is_complete || c->missing == WW_MISSING_POISON)
        amplitude = c->shape[middle];
    s.sharpness = (s.peak - others / n) / amplitude;
    s.roundness[0] = symmetry(c);
    s.roundness[1] = 2.0 * (hx - hy) / (hx + hy);
    return s;
}

/* Subtract the sky, keep what is above it; how many pixels that are. */
static size_t
above_sky(const cutout *c)
{
    size_t n_sky = 0, n = 0;
    double sky = 0.0;

    for (size_t t = 0; t < c->side * c->side; t++)
        if (!c->kernel->inside[t]) {
            sky += c->data[t];
            n_sky++;
        }
    sky = n_sky > 0 ? sky / (double)n_sky : 0.0;
    for (size_t t = 0; t < c->side * c->side; t++) {
        double d = c->kernel->inside[t] ? c->data[t] - sky : 0.0;

        c->above[t] = d < 0.0 ? 0.0 : d; /* NaN stays */
        n += c->above[t] != 0.0;
    }
    return n;
}

static star
measure_starfind(const cutout *c)
{
    double h = (double)c->kernel->half, m[3] = {0}, xx = 0.0, yy = 0.0;
    double xy = 0.0;
    star s = {.flux = 0.0};

    if (above_sky(c) < 2)
        return (star){.dx = (double)NAN, .dy = (double)NAN};
    for (size_t t = 0; t < c->side * c->side; t++) {
        m[0] += c->above[t];
        m[1] += c->above[t] * ((double)(t % c->side) - h);
        m[2] += c->above[t] * ((double)(t / c->side) - h);
        s.peak = fmax(s.peak, c->above[t]);
    }
    s.flux = m[0];
    s.dx = m[1] / m[0];
    s.dy = m[2] / m[0];
    for (size_t t = 0; t < c->side * c->side; t++) {
        double x = (double)(t % c->side) - h - s.dx;
        double y = (double)(t / c->side) - h - s.dy;

        xx += c->above[t] * x * x / m[0];
        yy += c->above[t] * y * y / m[0];
        xy += c->above[t] * x * y / m[0];
    }
    s.sharpness =
        2.0 * sqrt(log(2.0) * (xx + yy)) / (FWHM_PER_SIGMA * c->kernel->sigma);
    s.roundness[0] = sqrt((xx - yy) * (xx - yy) + 4.0 * xy * xy) / (xx + yy);
    s.roundness[1] = s.roundness[0];
    return s;
}

/* Fit amplitude and sky of a Gaussian at a place to the usable pixels, and
 * put it into the others. */
static void
fill(cutout *c, double dy, double dx)
{
    double h = (double)c->kernel->half, sigma = c->kernel->sigma;
    double n = 0.0, sg = 0.0, sgg = 0.0, sd = 0.0, sgd = 0.0, height = 0.0;
    double sky = 0.0;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t t = 0; t < c->side * c->side; t++) {
            double x = (double)(t % c->side) - h - dx;
            double y = (double)(t / c->side) - h - dy;
            double g = exp(-0.5 * (x * x + y * y) / (sigma * sigma));

            if (pass == 0 && c->usable[t]) {
                n += 1.0;
                sg += g;
                sgg += g * g;
                sd += c->data[t];
                sgd += g * c->data[t];
            }
            if (pass == 1 && !c->usable[t])
                c->data[t] = height * g + sky;
        }
        height = (sgd - sg * sd / n) / (sgg - sg * sg / n);
        sky = (sd - height * sg) / n;
    }
}

/* Measure a source that has missing pixels. */
static star
measure_filled(cutout *c, star (*measure)(const cutout *))
{
    size_t half = c->kernel->half, middle = c->side * c->side / 2;
    star s = {.dx = 0.0};
    double moved = 1.0;

    for (int k = 0; k < FILL_ROUNDS && moved > FILL_TOLERANCE; k++) {
        double dy = s.dy, dx = s.dx;

        fill(c, dy, dx);
        s = measure(c);
        if (!(fabs(s.dx) <= (double)half && fabs(s.dy) <= (double)half))
            return (star){.dx = (double)NAN, .dy = (double)NAN};
        moved = fmax(fabs(s.dy - dy), fabs(s.dx - dx));
    }
    middle = (size_t)((ptrdiff_t)middle + lround(s.dx) +
                      lround(s.dy) * (ptrdiff_t)c->side);
    if (moved > FILL_TOLERANCE || !c->usable[middle])
        return (star){.dx = (double)NAN, .dy = (double)NAN};
    return s;
}

static int
open_cutout(cutout *c)
{
    size_t n = c->side * c->side;

    c->data = malloc(3 * n * sizeof *c->data);
    c->usable = malloc(n);
    if (c->data == NULL || c->usable == NULL)
        return 0;
    c->shape = c->data + n;
    c->above = c->shape + n;
    return 1;
}

static void
write_star(const star *s, size_t y, size_t x, double *out)
{
    double columns[WW_STAR_COLUMNS] = {
        [WW_STAR_X] = (double)x + s->dx,
        [WW_STAR_Y] = (double)y + s->dy,
        [WW_STAR_FLUX] = s->flux,
        [WW_STAR_PEAK] = s->peak,
        [WW_STAR_SHARPNESS] = s->sharpness,
        [WW_STAR_ROUNDNESS] = s->roundness[0],
        [WW_STAR_ROUNDNESS2] = s->roundness[1],
    };
    int is_good = isfinite(s->dx) && isfinite(s->dy);

    for (size_t k = 0; k < WW_STAR_COLUMNS; k++)
        out[k] = is_good ? columns[k] : (double)NAN;
}

int
ww_star_measure(const ww_star_image *image, const ww_star_kernel *kernel,
                const float *correlation, int method, int missing,
                const uint64_t *pixel, size_t start, size_t stop, double *out)
{
    cutout c = {.image = image,
                .kernel = kernel,
                .correlation = correlation,
                .missing = missing,
                .side = 2 * kernel->half + 1};
    star (*measure)(const cutout *) =
        method == WW_STAR_DAOFIND ? measure_daofind : measure_starfind;
    int status = WW_OK;

    if (image->ny == 0 || image->nx == 0)
        return WW_ERR_SHAPE;
    if ((method != WW_STAR_DAOFIND && method != WW_STAR_STARFIND) ||
        (missing != WW_MISSING_FIT && missing != WW_MISSING_POISON))
        return WW_ERR_ARGUMENT;
    if (start > stop)
        return WW_ERR_RANGE;
    for (size_t k = start; k < stop; k++)
        if (pixel[k] >= image->ny * image->nx)
            return WW_ERR_RANGE;
    if (!open_cutout(&c))
        status = WW_ERR_NOMEM;
    for (size_t k = start; status == WW_OK && k < stop; k++) {
        size_t y = (size_t)pixel[k] / image->nx;
        size_t x = (size_t)pixel[k] % image->nx;
        star s;

        cut(&c, y, x);
        s = missing == WW_MISSING_POISON || c.is_complete
                ? measure(&c)
                : measure_filled(&c, measure);
        write_star(&s, y, x, out + k * WW_STAR_COLUMNS);
    }
    free(c.data);
    free(c.usable);
    return status;
}
