#include "background.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The bits of a float are sorted in three digits of 11, 11 and 10 bits. */
enum { DIGIT_BITS = 11, DIGITS = 3, BINS = 1 << DIGIT_BITS };

/* Neighbours that are alike are counted in turn in several tables: adding to
 * one number again and again is slow. */
enum { TURNS = 4 };

static const uint32_t SIGN = 0x80000000u;

/* An integer that sorts as the float does. */
static uint32_t
key_of(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return bits & SIGN ? ~bits : bits | SIGN;
}

static float
value_of(uint32_t key)
{
    uint32_t bits = key & SIGN ? key & ~SIGN : ~key;
    float value;

    memcpy(&value, &bits, sizeof value);
    return value;
}

static size_t
digit_of(uint32_t key, int digit)
{
    return (key >> (DIGIT_BITS * digit)) & (BINS - 1);
}

/* Sort n keys, least significant digit first; the result is in the buffer
 * that is returned, either of the two. */
static uint32_t *
sort_keys(uint32_t *keys, uint32_t *other, size_t n)
{
    uint32_t start[DIGITS][BINS] = {{0}};

    for (size_t k = 0; k < n; k++)
        for (int digit = 0; digit < DIGITS; digit++)
            start[digit][digit_of(keys[k], digit)]++;
    for (int digit = 0; digit < DIGITS; digit++) {
        uint32_t *swap = keys, sum = 0;

        for (size_t b = 0; b < BINS; b++) {
            uint32_t here = start[digit][b];

            start[digit][b] = sum;
            sum += here;
        }
        for (size_t k = 0; k < n; k++)
            other[start[digit][digit_of(keys[k], digit)]++] = keys[k];
        keys = other;
        other = swap;
    }
    return keys;
}

typedef struct {
    double median, rms;
    size_t n;
} moments;

/* Median and standard deviation of sorted values. The sums are about the
 * median, which keeps them exact; four at a time, which keeps them fast. */
static moments
moments_of(const float *value, size_t n)
{
    moments m = {.median = (double)value[n / 2], .n = n};
    double s[4] = {0}, q[4] = {0}, mean;

    if (n % 2 == 0)
        m.median = 0.5 * (m.median + (double)value[n / 2 - 1]);
    for (size_t k = 0; k < n; k++) {
        double d = (double)value[k] - m.median;

        s[k % 4] += d;
        q[k % 4] += d * d;
    }
    mean = ((s[0] + s[1]) + (s[2] + s[3])) / (double)n;
    m.rms = ((q[0] + q[1]) + (q[2] + q[3])) / (double)n - mean * mean;
    m.rms = sqrt(fmax(m.rms, 0.0));
    return m;
}

/* Clip sorted values from both ends. */
static moments
clip_sorted(const float *value, size_t n, double clip, int max_round)
{
    moments m = {.median = (double)NAN, .rms = (double)NAN, .n = 0};

    if (n == 0)
        return m;
    m = moments_of(value, n);
    for (int round = 0; round < max_round; round++) {
        double low = m.median - clip * m.rms, high = m.median + clip * m.rms;
        size_t before = n;

        while (n > 0 && (double)value[0] < low)
            value++, n--;
        while (n > 0 && (double)value[n - 1] > high)
            n--;
        if (n == before || n == 0)
            break;
        m = moments_of(value, n);
    }
    return m;
}

/* The keys of the finite values of one box, those in [y0, y1) x [x0, x1). */
static size_t
gather(const float *value, const uint8_t *mask, size_t nx, const size_t y[2],
       const size_t x[2], uint32_t *keys)
{
    size_t n = 0;

    for (size_t j = y[0]; j < y[1]; j++)
        for (size_t k = j * nx + x[0]; k < j * nx + x[1]; k++) {
            keys[n] = key_of(value[k]);
            n += isfinite(value[k]) && (mask == NULL || !mask[k]);
        }
    return n;
}

static size_t
least(size_t a, size_t b)
{
    return a < b ? a : b;
}

int
ww_background_boxes(const float *value, const uint8_t *mask, size_t ny,
                    size_t nx, size_t box, double clip, int max_round,
                    size_t box_start, size_t box_stop, double *median,
                    double *rms, uint32_t *count)
{
    size_t boxes_x, boxes, room;
    uint32_t *keys;

    if (ny == 0 || nx == 0)
        return WW_ERR_SHAPE;
    if (box == 0 || !(clip > 0.0))
        return WW_ERR_ARGUMENT;
    boxes_x = (nx - 1) / box + 1;
    boxes = boxes_x * ((ny - 1) / box + 1);
    if (box_start > box_stop || box_stop > boxes)
        return WW_ERR_RANGE;
    /* One more than fits: gather writes before it counts. */
    room = least(box, ny) * least(box, nx) + 1;
    keys = malloc(2 * room * sizeof *keys);
    if (keys == NULL)
        return WW_ERR_NOMEM;
    for (size_t b = box_start; b < box_stop; b++) {
        size_t y0 = b / boxes_x * box, x0 = b % boxes_x * box;
        size_t y[2] = {y0, y0 + least(box, ny - y0)};
        size_t x[2] = {x0, x0 + least(box, nx - x0)};
        size_t n = gather(value, mask, nx, y, x, keys);
        uint32_t *sorted = sort_keys(keys, keys + room, n);
        /* The other buffer is free: the values go there. */
        float *values = (float *)(sorted == keys ? keys + room : keys);
        moments m;

        for (size_t k = 0; k < n; k++)
            values[k] = value_of(sorted[k]);
        m = clip_sorted(values, n, clip, max_round);
        median[b] = m.median;
        rms[b] = m.rms;
        count[b] = (uint32_t)m.n;
    }
    free(keys);
    return WW_OK;
}

static int
indices_fit(const uint32_t *index, size_t n, size_t limit)
{
    for (size_t k = 0; k < 4 * n; k++)
        if (index[k] >= limit)
            return 0;
    return 1;
}

/* The end of the columns from x on that depend on the same nodes. */
static size_t
end_of_run(const uint32_t *index, size_t x, size_t nx)
{
    size_t end = x + 1;

    while (end < nx &&
           memcmp(index + 4 * x, index + 4 * end, 4 * sizeof *index) == 0)
        end++;
    return end;
}

static void
spline_row(const ww_spline *s, size_t y, double *coef, float *out)
{
    const uint32_t *iy = s->index_y + 4 * y;
    const double *wy = s->weight_y + 4 * y;
    size_t end;

    for (size_t k = 0; k < s->mesh_nx; k++) {
        coef[k] = 0.0;
        for (size_t t = 0; t < 4; t++)
            coef[k] += wy[t] * s->coef[iy[t] * s->mesh_nx + k];
    }
    for (size_t x = 0; x < s->nx; x = end) {
        const uint32_t *ix = s->index_x + 4 * x;
        double a = coef[ix[0]], b = coef[ix[1]];
        double c = coef[ix[2]], d = coef[ix[3]];

        end = end_of_run(s->index_x, x, s->nx);
        for (size_t i = x; i < end; i++) {
            const double *wx = s->weight_x + 4 * i;
            double v = (wx[0] * a + wx[1] * b) + (wx[2] * c + wx[3] * d);

            v = v < s->low ? s->low : v;
            out[i] = (float)(v > s->high ? s->high : v);
        }
    }
}

int
ww_background_rows(const ww_spline *s, const float *value, const uint8_t *mask,
                   size_t row_start, size_t row_stop, float *out)
{
    double *coef;

    if (s->mesh_ny == 0 || s->mesh_nx == 0 || s->ny == 0 || s->nx == 0)
        return WW_ERR_SHAPE;
    if (row_start > row_stop || row_stop > s->ny ||
        !indices_fit(s->index_y, s->ny, s->mesh_ny) ||
        !indices_fit(s->index_x, s->nx, s->mesh_nx))
        return WW_ERR_RANGE;
    coef = malloc(s->mesh_nx * sizeof *coef);
    if (coef == NULL)
        return WW_ERR_NOMEM;
    for (size_t y = row_start; y < row_stop; y++) {
        float *row = out + y * s->nx;
        const uint8_t *off = mask == NULL ? NULL : mask + y * s->nx;

        spline_row(s, y, coef, row);
        if (off != NULL)
            for (size_t x = 0; x < s->nx; x++)
                row[x] = off[x] ? 0.0f : row[x];
        if (value != NULL)
            for (size_t x = 0; x < s->nx; x++)
                row[x] = value[y * s->nx + x] - row[x];
    }
    free(coef);
    return WW_OK;
}

/* The key of the given rank, and how many keys are not greater. */
static uint32_t
key_of_rank(const float *value, const uint8_t *mask, size_t n, size_t rank,
            size_t *not_greater)
{
    uint32_t known = 0, known_bits = 0;
    size_t below = 0, inside = 0;

    for (int digit = DIGITS - 1; digit >= 0; digit--) {
        size_t counts[TURNS][BINS] = {{0}}, b = 0;

        for (size_t k = 0; k < n; k++) {
            uint32_t key = key_of(value[k]);

            counts[k % TURNS][digit_of(key, digit)] +=
                (mask == NULL || !mask[k]) && (key & known_bits) == known;
        }
        for (size_t turn = 1; turn < TURNS; turn++)
            for (size_t i = 0; i < BINS; i++)
                counts[0][i] += counts[turn][i];
        while (below + counts[0][b] <= rank)
            below += counts[0][b++];
        inside = counts[0][b];
        known |= (uint32_t)b << (DIGIT_BITS * digit);
        known_bits |= (uint32_t)(BINS - 1) << (DIGIT_BITS * digit);
    }
    *not_greater = below + inside;
    return known;
}

static uint32_t
next_key(const float *value, const uint8_t *mask, size_t n, uint32_t key)
{
    uint32_t next = UINT32_MAX;

    for (size_t k = 0; k < n; k++)
        if (mask == NULL || !mask[k]) {
            uint32_t other = key_of(value[k]);

            next = other > key && other < next ? other : next;
        }
    return next;
}

double
ww_background_median(const float *value, const uint8_t *mask, size_t n)
{
    size_t good = n, not_greater;
    uint32_t key, next;

    if (mask != NULL)
        for (size_t k = 0; k < n; k++)
            good -= mask[k] != 0;
    if (good == 0)
        return (double)NAN;
    key = key_of_rank(value, mask, n, (good - 1) / 2, &not_greater);
    next = key;
    if (good % 2 == 0 && not_greater == good / 2)
        next = next_key(value, mask, n, key);
    return 0.5 * ((double)value_of(key) + (double)value_of(next));
}
