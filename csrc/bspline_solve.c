#include "bspline_solve.h"

#include <math.h>
#include <string.h>

enum {
    DEGREE = WW_SPLINE_ORDER - 1,
    N_LANE = 2 /* samples that are summed side by side */
};

typedef struct {
    double lane[N_LANE];
} lanes;

void
ww_system_init(ww_spline_system *s, size_t max_knot, ww_arena *arena)
{
    memset(s, 0, sizeof *s);
    s->knots = ww_arena_take(arena, max_knot, sizeof *s->knots);
    s->first = ww_arena_take(arena, max_knot, sizeof *s->first);
    s->is_new = ww_arena_take(arena, max_knot, sizeof *s->is_new);
    s->piece = ww_arena_take(arena, max_knot, sizeof *s->piece);
    s->block = ww_arena_take(arena, max_knot, sizeof *s->block);
    s->factor = ww_arena_take(arena, max_knot, sizeof *s->factor);
    s->right = ww_arena_take(arena, max_knot, sizeof *s->right);
    s->diagonal = ww_arena_take(arena, max_knot, sizeof *s->diagonal);
    s->local = ww_arena_take(arena, max_knot, sizeof *s->local);
}

static double
middle(const ww_spline_system *s, size_t interval)
{
    return 0.5 *
           (s->knots[interval + DEGREE] + s->knots[interval + DEGREE + 1]);
}

/* The basis functions of an interval as polynomials: the recurrence of Cox and
 * de Boor with (x - knot) = step * u + (middle - knot). */
static void
set_piece(const ww_spline_system *s, size_t interval, double piece[4][4])
{
    const double *t = s->knots + interval + DEGREE;
    double centre = middle(s, interval);

    memset(piece, 0, 16 * sizeof(double));
    piece[0][0] = 1.0;
    for (size_t degree = 1; degree <= DEGREE; degree++) {
        double carry[4] = {0};

        for (size_t n = 0; n < degree; n++) {
            double right = t[n + 1], left = *(t + n + 1 - degree);
            double low = centre - left, high = right - centre;
            double w[4];

            for (size_t k = 0; k < 4; k++)
                w[k] = piece[n][k] / (right - left);
            for (size_t k = 0; k < 4; k++) {
                double before = k ? s->step * w[k - 1] : 0.0;

                piece[n][k] = carry[k] + high * w[k] - before;
                carry[k] = low * w[k] + before;
            }
        }
        memcpy(piece[degree], carry, sizeof carry);
    }
}

void
ww_system_set_knots(ww_spline_system *s)
{
    /* Away from the ends, with equally spaced knots, all pieces are alike: an
     * interval sees two inner knots on each side, besides its own. */
    size_t n = s->n_knot - WW_SPLINE_ENDS + 1;
    size_t begin = DEGREE, end = n > 2 * DEGREE ? n - DEGREE : begin;

    s->n_interval = n;
    for (size_t q = 0; q < n; q++) {
        if (s->is_equal && q > begin && q < end)
            memcpy(s->piece[q], s->piece[begin], sizeof s->piece[q]);
        else
            set_piece(s, q, s->piece[q]);
    }
}

int
ww_system_drop_knot(ww_spline_system *s, size_t basis)
{
    size_t first = WW_SPLINE_ORDER, stop = s->n_knot - WW_SPLINE_ORDER;
    size_t knot = basis + WW_SPLINE_ORDER / 2;

    if (first >= stop)
        return 0;
    knot = knot < first ? first : knot >= stop ? stop - 1 : knot;
    memmove(s->knots + knot, s->knots + knot + 1,
            (s->n_knot - knot - 1) * sizeof *s->knots);
    s->n_knot--;
    s->is_equal = 0;
    ww_system_set_knots(s);
    return 1;
}

void
ww_system_locate(ww_spline_system *s, const ww_spline_samples *samples)
{
    size_t at = 0;

    for (size_t q = 0; q < s->n_interval; q++) {
        s->first[q] = at;
        s->is_new[q] = 1;
        if (q + 1 < s->n_interval) {
            double knot = s->knots[q + DEGREE + 1];
            size_t n = samples->n - at;

            /* Without branches to predict. */
            while (n > 1) {
                size_t half = n / 2;

                at += samples->x[at + half - 1] < knot ? half : 0;
                n -= half;
            }
            at += n && samples->x[at] < knot ? 1 : 0;
        }
    }
    s->first[s->n_interval] = samples->n;
}

static inline void
add_moments(lanes sum[WW_N_MOMENT], const double *x, const double *y,
            const double *weight, size_t width, double centre, double scale)
{
    for (size_t l = 0; l < width; l++) {
        double u = (x[l] - centre) * scale, w = weight ? weight[l] : 1.0;
        double wu = w * u, u2 = u * u, v = w * y[l], vu = v * u;
        double wu2 = w * u2, wu3 = wu * u2;

        sum[0].lane[l] += w;
        sum[1].lane[l] += wu;
        sum[2].lane[l] += wu2;
        sum[3].lane[l] += wu3;
        sum[4].lane[l] += wu2 * u2;
        sum[5].lane[l] += wu3 * u2;
        sum[6].lane[l] += wu2 * u2 * u2;
        sum[7].lane[l] += v;
        sum[8].lane[l] += vu;
        sum[9].lane[l] += v * u2;
        sum[10].lane[l] += vu * u2;
    }
}

static void
sum_moments(const ww_spline_samples *samples, size_t begin, size_t end,
            double centre, double scale, double moment[WW_N_MOMENT])
{
    const double *x = samples->x, *y = samples->y, *w = samples->weight;
    size_t whole = begin + (end - begin) / N_LANE * N_LANE;
    lanes sum[WW_N_MOMENT] = {{{0}}};

    if (w)
        for (size_t p = begin; p < whole; p += N_LANE)
            add_moments(sum, x + p, y + p, w + p, N_LANE, centre, scale);
    else
        for (size_t p = begin; p < whole; p += N_LANE)
            add_moments(sum, x + p, y + p, NULL, N_LANE, centre, scale);
    add_moments(sum, x + whole, y + whole, w ? w + whole : NULL, end - whole,
                centre, scale);
    for (size_t k = 0; k < WW_N_MOMENT; k++)
        moment[k] = sum[k].lane[0] + sum[k].lane[1];
}

void
ww_interval_matrix(const double piece[4][4], const double *moment,
                   double triangle[10])
{
    size_t e = 0;

    for (size_t a = 0; a < 4; a++) {
        double shifted[4];

        for (size_t k = 0; k < 4; k++)
            shifted[k] =
                (piece[a][0] * moment[k] + piece[a][1] * moment[k + 1]) +
                (piece[a][2] * moment[k + 2] + piece[a][3] * moment[k + 3]);
        for (size_t b = a; b < 4; b++)
            triangle[e++] =
                (shifted[0] * piece[b][0] + shifted[1] * piece[b][1]) +
                (shifted[2] * piece[b][2] + shifted[3] * piece[b][3]);
    }
}

static void
renew_blocks(ww_spline_system *s, const ww_spline_samples *samples)
{
    for (size_t q = 0; q < s->n_interval; q++) {
        double moment[WW_N_MOMENT];
        const double *of_y = moment + WW_N_POWER;

        if (!s->is_new[q])
            continue;
        s->is_new[q] = 0;
        sum_moments(samples, s->first[q], s->first[q + 1], middle(s, q),
                    1.0 / s->step, moment);
        ww_interval_matrix((const double (*)[4])s->piece[q], moment,
                           s->block[q]);
        for (size_t a = 0; a < 4; a++) {
            const double *piece = s->piece[q][a];

            s->block[q][10 + a] = (piece[0] * of_y[0] + piece[1] * of_y[1]) +
                                  (piece[2] * of_y[2] + piece[3] * of_y[3]);
        }
    }
}

/* The normal equations, from the blocks. */
static void
assemble(ww_spline_system *s)
{
    size_t n = s->n_knot - WW_SPLINE_ORDER;

    memset(s->factor, 0, n * sizeof *s->factor);
    memset(s->right, 0, n * sizeof *s->right);
    for (size_t q = 0; q < s->n_interval; q++) {
        size_t e = 0;

        for (size_t a = 0; a < 4; a++) {
            for (size_t b = a; b < 4; b++)
                s->factor[q + a][b - a] += s->block[q][e++];
            s->right[q + a] += s->block[q][10 + a];
        }
    }
    for (size_t i = 0; i < n; i++)
        s->diagonal[i] = s->factor[i][0];
}

static void
substitute_back(ww_spline_system *s)
{
    size_t n = s->n_knot - WW_SPLINE_ORDER;

    for (size_t i = n; i-- > 0;)
        for (size_t k = 1; k < WW_SPLINE_ORDER && i + k < n; k++)
            s->right[i] -= s->factor[i][k] * s->right[i + k];
}

size_t
ww_system_solve(ww_spline_system *s, const ww_spline_samples *samples,
                double tolerance, double share)
{
    size_t n = s->n_knot - WW_SPLINE_ORDER;
    double mean = 0.0;

    renew_blocks(s, samples);
    assemble(s);
    for (size_t i = 0; i < n; i++)
        mean += s->diagonal[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        double *row = s->factor[i], inverse;
        size_t reach = n - i < WW_SPLINE_ORDER ? n - i : WW_SPLINE_ORDER;

        if (!(row[0] > 0.0) || row[0] < tolerance * s->diagonal[i] ||
            row[0] < share * mean)
            return i;
        inverse = 1.0 / row[0];
        for (size_t k = 1; k < reach; k++) {
            double l = row[k] * inverse;

            for (size_t m = k; m < reach; m++)
                s->factor[i + k][m - k] -= l * row[m];
            s->right[i + k] -= l * s->right[i];
        }
        for (size_t k = 1; k < reach; k++)
            row[k] *= inverse;
        s->right[i] *= inverse;
    }
    substitute_back(s);
    return n;
}

/* Rotate two rows so that the first element of the second one becomes 0. */
static void
rotate_pair(double *above, double *y_above, double *row, double *y)
{
    double pivot = row[0], diagonal = above[0], size = fabs(pivot), whole;
    double cosine, sine, before;

    if (pivot == 0.0)
        return;
    whole =
        size >= diagonal
            ? size * sqrt(1.0 + (diagonal / pivot) * (diagonal / pivot))
            : diagonal * sqrt(1.0 + (pivot / diagonal) * (pivot / diagonal));
    cosine = diagonal / whole;
    sine = pivot / whole;
    above[0] = whole;
    for (size_t k = 1; k < WW_SPLINE_ORDER; k++) {
        before = above[k];
        above[k] = cosine * before + sine * row[k];
        row[k] = cosine * row[k] - sine * before;
    }
    before = *y_above;
    *y_above = cosine * before + sine * *y;
    *y = cosine * *y - sine * before;
}

/* Take in sample number p, whose row begins at a basis function. As in SciPy,
 * row p becomes row p of the triangle once it has been rotated with those
 * above. Where too few samples come first, it begins further to the right and
 * stands in the wrong place then: such splines are wrong, but they are what
 * jwst goes on with. */
static void
take_row(ww_spline_system *s, size_t p, size_t basis,
         double row[WW_SPLINE_ORDER], double y)
{
    size_t n = s->n_knot - WW_SPLINE_ORDER, stop = p < n ? p : n;

    for (size_t i = basis; i < stop && i < basis + WW_SPLINE_ORDER; i++) {
        rotate_pair(s->factor[i], &s->right[i], row, &y);
        memmove(row, row + 1, DEGREE * sizeof *row);
        row[DEGREE] = 0.0;
    }
    if (p < n) {
        memcpy(s->factor[p], row, WW_SPLINE_ORDER * sizeof *row);
        s->right[p] = y;
    }
}

size_t
ww_system_rotate(ww_spline_system *s, const ww_spline_samples *samples)
{
    size_t n = s->n_knot - WW_SPLINE_ORDER;

    memset(s->factor, 0, n * sizeof *s->factor);
    memset(s->right, 0, n * sizeof *s->right);
    for (size_t p = 0; p < samples->n; p++) {
        double row[WW_SPLINE_ORDER], x = samples->x[p];
        double root = samples->weight ? sqrt(samples->weight[p]) : 1.0;
        size_t j = ww_spline_interval(s->knots, s->n_knot, x);

        ww_spline_basis(s->knots, j, x, row);
        for (size_t k = 0; k < WW_SPLINE_ORDER; k++)
            row[k] *= root;
        take_row(s, p, j - DEGREE, row, samples->y[p] * root);
    }
    /* R = D^(1/2) L': back to the form of the normal equations. */
    for (size_t i = 0; i < n; i++) {
        double *r = s->factor[i];

        if (r[0] == 0.0 || !isfinite(r[0]))
            return i;
        for (size_t k = 1; k < WW_SPLINE_ORDER; k++)
            r[k] /= r[0];
        s->right[i] /= r[0];
        r[0] *= r[0];
    }
    substitute_back(s);
    return n;
}

static void
set_local(ww_spline_system *s)
{
    for (size_t q = 0; q < s->n_interval; q++) {
        const double *c = s->right + q;

        for (size_t k = 0; k < 4; k++)
            s->local[q][k] =
                (c[0] * s->piece[q][0][k] + c[1] * s->piece[q][1][k]) +
                (c[2] * s->piece[q][2][k] + c[3] * s->piece[q][3][k]);
    }
}

void
ww_system_residuals(ww_spline_system *s, const ww_spline_samples *samples,
                    double *residual)
{
    double scale = 1.0 / s->step;

    set_local(s);
    for (size_t q = 0; q < s->n_interval; q++) {
        double c0 = s->local[q][0], c1 = s->local[q][1], c2 = s->local[q][2];
        double c3 = s->local[q][3], centre = middle(s, q);

        for (size_t p = s->first[q]; p < s->first[q + 1]; p++) {
            double u = (samples->x[p] - centre) * scale;

            residual[p] = samples->y[p] - (c0 + u * (c1 + u * (c2 + u * c3)));
        }
    }
    if (samples->factor)
        for (size_t p = 0; p < samples->n; p++)
            residual[p] *= samples->factor[p];
}
