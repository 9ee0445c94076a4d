#include "star_refine.h"

#include <math.h>
#include <stdlib.h>

/* The parameters of the fit. */
enum { X, Y, LOG_SIGMA, HEIGHT, LEVEL, PARAMETERS };

/* With fewer pixels, five parameters say little. */
enum { LEAST_PIXELS = 8 };

/* Stars take 4 to 8 rounds; those that take more do not converge. */
enum { MOST_ROUNDS = 50 };

/* Converged when a step is shorter, in pixels and in the logarithm of the
 * width: 1/100 of the position error of the brightest stars, whose noise is
 * 1/1000 of their height. */
static const double STEP_TOLERANCE = 1e-5;

static const double MOST_MOVE = 1.0;
static const double MOST_WIDENING = 5.0;

/* Damping of Marquardt (1963, SIAM J. Appl. Math. 11, 431): where it begins,
 * and by what it changes after a step that was good or bad. */
static const double FIRST_DAMPING = 1e-3;
static const double DAMPING_STEP = 10.0;

/* The pixels of one star, relative to the one in the middle. */
typedef struct {
    size_t n;
    double *x, *y, *value;
} pixels;

typedef struct {
    double matrix[PARAMETERS][PARAMETERS], gradient[PARAMETERS], chi2;
} equations;

static void
gather(const ww_star_image *image, ptrdiff_t half, ptrdiff_t cy, ptrdiff_t cx,
       pixels *p)
{
    /* Within half + 1/2: r^2 <= half (half + 1) for integers. */
    ptrdiff_t limit = half * (half + 1);

    p->n = 0;
    for (ptrdiff_t dy = -half; dy <= half; dy++)
        for (ptrdiff_t dx = -half; dx <= half; dx++) {
            ptrdiff_t y = cy + dy, x = cx + dx;
            size_t k;

            if (dy * dy + dx * dx > limit || y < 0 || x < 0 ||
                y >= (ptrdiff_t)image->ny || x >= (ptrdiff_t)image->nx)
                continue;
            k = (size_t)y * image->nx + (size_t)x;
            if ((image->mask != NULL && image->mask[k]) ||
                !isfinite(image->value[k]))
                continue;
            p->x[p->n] = (double)dx;
            p->y[p->n] = (double)dy;
            p->value[p->n++] = (double)image->value[k];
        }
}

/* Normal equations at a place. */
static equations
linearise(const pixels *p, const double *at)
{
    equations e = {.chi2 = 0.0};
    double s2 = exp(2.0 * at[LOG_SIGMA]);

    for (size_t k = 0; k < p->n; k++) {
        double x = p->x[k] - at[X], y = p->y[k] - at[Y];
        double r2 = (x * x + y * y) / s2, g = exp(-0.5 * r2);
        double slope = at[HEIGHT] * g;
        double d[PARAMETERS] = {slope * x / s2, slope * y / s2, slope * r2, g,
                                1.0};
        double rest = p->value[k] - slope - at[LEVEL];

        e.chi2 += rest * rest;
        for (int i = 0; i < PARAMETERS; i++) {
            e.gradient[i] += d[i] * rest;
            for (int j = 0; j <= i; j++)
                e.matrix[i][j] += d[i] * d[j];
        }
    }
    return e;
}

/* Cholesky factor, in place below and on the diagonal; 0 if there is none. */
static int
factorise(double m[PARAMETERS][PARAMETERS])
{
    for (int j = 0; j < PARAMETERS; j++)
        for (int i = j; i < PARAMETERS; i++) {
            double sum = m[i][j];

            for (int k = 0; k < j; k++)
                sum -= m[i][k] * m[j][k];
            if (i == j && !(sum > 0.0))
                return 0;
            m[i][j] = i == j ? sqrt(sum) : sum / m[j][j];
        }
    return 1;
}

static void
solve(const double m[PARAMETERS][PARAMETERS], double *b)
{
    for (int i = 0; i < PARAMETERS; i++) {
        for (int k = 0; k < i; k++)
            b[i] -= m[i][k] * b[k];
        b[i] /= m[i][i];
    }
    for (int i = PARAMETERS - 1; i >= 0; i--) {
        for (int k = i + 1; k < PARAMETERS; k++)
            b[i] -= m[k][i] * b[k];
        b[i] /= m[i][i];
    }
}

/* One damped step; 0 if the equations have no solution. */
static int
take_step(const equations *e, double damping, double *step)
{
    equations damped = *e;

    for (int i = 0; i < PARAMETERS; i++) {
        damped.matrix[i][i] *= 1.0 + damping;
        step[i] = e->gradient[i];
    }
    if (!factorise(damped.matrix))
        return 0;
    solve((const double (*)[PARAMETERS])damped.matrix, step);
    return 1;
}

static int
is_short(const double *step)
{
    return fabs(step[X]) + fabs(step[Y]) + fabs(step[LOG_SIGMA]) <
           STEP_TOLERANCE;
}

static int
is_sound(const double *at, double sigma)
{
    return fabs(at[X]) <= MOST_MOVE + 0.5 && fabs(at[Y]) <= MOST_MOVE + 0.5 &&
           fabs(at[LOG_SIGMA] - log(sigma)) <= log(MOST_WIDENING);
}

/* Least squares from a first guess; 0 if they do not converge. */
static int
fit(const pixels *p, double sigma, double *at, equations *e)
{
    double damping = FIRST_DAMPING;

    *e = linearise(p, at);
    for (int round = 0; round < MOST_ROUNDS; round++) {
        double step[PARAMETERS], tried[PARAMETERS];
        equations there;

        if (!take_step(e, damping, step))
            return 0;
        for (int i = 0; i < PARAMETERS; i++)
            tried[i] = at[i] + step[i];
        there = linearise(p, tried);
        if (!(there.chi2 <= e->chi2) || !is_sound(tried, sigma)) {
            if (is_short(step))
                return 1; /* nothing is better than here */
            damping *= DAMPING_STEP;
            continue;
        }
        for (int i = 0; i < PARAMETERS; i++)
            at[i] = tried[i];
        *e = there;
        damping /= DAMPING_STEP;
        if (is_short(step))
            return 1;
    }
    return 0;
}

/* Error of a coordinate for unit noise: the mean of the two variances. */
static double
error_of(const equations *e)
{
    equations copy = *e;
    double variance = 0.0;

    if (!factorise(copy.matrix))
        return (double)NAN;
    for (int i = X; i <= Y; i++) {
        double column[PARAMETERS] = {0};

        column[i] = 1.0;
        solve((const double (*)[PARAMETERS])copy.matrix, column);
        variance += 0.5 * column[i];
    }
    return sqrt(variance);
}

static void
refine(const ww_star_image *image, ptrdiff_t half, double sigma,
       const double *place, pixels *p, double *out)
{
    double cx = floor(place[0] + 0.5), cy = floor(place[1] + 0.5);
    double at[PARAMETERS] = {[X] = place[0] - cx, [Y] = place[1] - cy};
    double low = (double)INFINITY, high = -(double)INFINITY;
    equations e;

    for (int k = 0; k < WW_REFINED_COLUMNS; k++)
        out[k] = (double)NAN;
    if (!(cx >= 0.0 && cy >= 0.0 && cx < (double)image->nx &&
          cy < (double)image->ny))
        return;
    gather(image, half, (ptrdiff_t)cy, (ptrdiff_t)cx, p);
    if (p->n < LEAST_PIXELS)
        return;
    for (size_t k = 0; k < p->n; k++) {
        low = fmin(low, p->value[k]);
        high = fmax(high, p->value[k]);
    }
    at[LOG_SIGMA] = log(sigma);
    at[HEIGHT] = high - low;
    at[LEVEL] = low;
    if (!fit(p, sigma, at, &e) || !(at[HEIGHT] > 0.0) ||
        fabs(at[X] + cx - place[0]) > MOST_MOVE ||
        fabs(at[Y] + cy - place[1]) > MOST_MOVE)
        return;
    out[WW_REFINED_X] = cx + at[X];
    out[WW_REFINED_Y] = cy + at[Y];
    out[WW_REFINED_SIGMA] = exp(at[LOG_SIGMA]);
    out[WW_REFINED_ERROR] = error_of(&e);
}

int
ww_star_refine(const ww_star_image *image, size_t half, double sigma,
               const double *place, size_t start, size_t stop, double *out)
{
    size_t most = (2 * half + 1) * (2 * half + 1);
    pixels p;

    if (image->ny == 0 || image->nx == 0)
        return WW_ERR_SHAPE;
    if (half == 0 || !(sigma > 0.0))
        return WW_ERR_ARGUMENT;
    if (start > stop)
        return WW_ERR_RANGE;
    p.x = malloc(3 * most * sizeof *p.x);
    if (p.x == NULL)
        return WW_ERR_NOMEM;
    p.y = p.x + most;
    p.value = p.y + most;
    for (size_t k = start; k < stop; k++)
        refine(image, (ptrdiff_t)half, sigma, place + 2 * k, &p,
               out + WW_REFINED_COLUMNS * k);
    free(p.x);
    return WW_OK;
}
