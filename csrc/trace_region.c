#include "trace_region.h"

#include <math.h>
#include <string.h>

static double
pixel_at(const ww_image *image, size_t place)
{
    if (image->is_float)
        return (double)((const float *)image->pixels)[place];
    return ((const double *)image->pixels)[place];
}

int32_t
ww_region_labels(const int32_t *map, size_t n, uint8_t *present,
                 size_t n_label)
{
    int32_t largest = 0, last = -1;

    for (size_t i = 0; i < n; i++) {
        int32_t label = map[i];

        if (label == last) /* as most neighbours */
            continue;
        last = label;
        if (label > largest)
            largest = label;
        if (label >= 0 && (size_t)label < n_label)
            present[label] = 1;
    }
    return largest;
}

int
ww_region_rows(const int32_t *map, size_t ny, size_t nx, const int32_t *index,
               size_t n_label, size_t n_region, int32_t *first, int32_t *stop)
{
    for (size_t label = 0; label < n_label; label++)
        if (index[label] >= 0 && (size_t)index[label] >= n_region)
            return WW_ERR_RANGE;
    memset(first, 0, n_region * nx * sizeof *first);
    memset(stop, 0, n_region * nx * sizeof *stop);
    for (size_t y = 0; y < ny; y++)
        for (size_t x = 0; x < nx; x++) {
            int32_t label = map[y * nx + x];
            size_t place;

            if (label < 0 || (size_t)label >= n_label || index[label] < 0)
                continue;
            place = (size_t)index[label] * nx + x;
            if (stop[place] == 0)
                first[place] = (int32_t)y;
            stop[place] = (int32_t)y + 1;
        }
    return WW_OK;
}

int
ww_region_is_valid(const ww_region *region, size_t column_start,
                   size_t column_stop)
{
    if (column_start > column_stop || column_stop > region->nx)
        return 0;
    for (size_t c = column_start; c < column_stop; c++)
        if (region->stop[c] > region->first[c] &&
            (region->first[c] < 0 || (size_t)region->stop[c] > region->ny))
            return 0;
    return 1;
}

ww_window
ww_region_window(const ww_region *region, size_t column_start,
                 size_t column_stop)
{
    ww_window window = {column_start, column_stop, 0, 0};
    int is_empty = 1;

    for (size_t c = column_start; c < column_stop; c++) {
        size_t first = (size_t)region->first[c], stop;

        if (region->stop[c] <= region->first[c])
            continue;
        stop = (size_t)region->stop[c];
        if (is_empty || first < window.row_start)
            window.row_start = first;
        if (is_empty || stop > window.row_stop)
            window.row_stop = stop;
        is_empty = 0;
    }
    return window;
}

size_t
ww_region_block_stop(size_t column, size_t column_stop)
{
    size_t stop = (column / WW_REGION_BLOCK + 1) * WW_REGION_BLOCK;

    return stop < column_stop ? stop : column_stop;
}

size_t
ww_region_tallest(const ww_region *region, size_t column_start,
                  size_t column_stop)
{
    size_t tallest = 0;

    for (size_t c = column_start; c < column_stop;) {
        size_t stop = ww_region_block_stop(c, column_stop);
        ww_window window = ww_region_window(region, c, stop);

        if (window.row_stop - window.row_start > tallest)
            tallest = window.row_stop - window.row_start;
        c = stop;
    }
    return tallest;
}

/* One row of a block of the region; line is the place of its first pixel, and
 * values that of the first column. */
static void
gather_row(const ww_region *region, const ww_image *image, size_t line,
           size_t width, size_t stride, double *values)
{
    const int32_t *map = region->map + line;

    if (image->is_float) {
        const float *pixels = (const float *)image->pixels + line;

        for (size_t c = 0; c < width; c++)
            values[c * stride] =
                map[c] == region->label ? (double)pixels[c] : NAN;
    } else {
        const double *pixels = (const double *)image->pixels + line;

        for (size_t c = 0; c < width; c++)
            values[c * stride] = map[c] == region->label ? pixels[c] : NAN;
    }
}

static void
round_values(double *values, size_t n)
{
    for (size_t i = 0; i < n; i++)
        values[i] = (double)(float)values[i];
}

void
ww_region_gather(const ww_region *region, const ww_image *image, int rounds,
                 const ww_window *window, size_t stride, double *values)
{
    size_t n_row = window->row_stop - window->row_start;

    for (size_t start = window->column_start; start < window->column_stop;) {
        size_t stop = ww_region_block_stop(start, window->column_stop);
        double *block = values + (start - window->column_start) * stride;

        for (size_t r = 0; r < n_row; r++)
            gather_row(region, image,
                       (window->row_start + r) * region->nx + start,
                       stop - start, stride, block + r);
        for (size_t c = 0; rounds && c < stop - start; c++)
            round_values(block + c * stride, n_row);
        start = stop;
    }
}

size_t
ww_region_height(const ww_region *region)
{
    int32_t height = 0;

    for (size_t c = 0; c < region->nx; c++)
        if (region->stop[c] - region->first[c] > height)
            height = region->stop[c] - region->first[c];
    return (size_t)height;
}

/* The pixels of a row of a block, to where they are in their columns; values
 * is that of the first column. */
static void
cut_row(const ww_region *region, const ww_image *image, size_t row,
        size_t start, size_t stop, size_t n_row, double *values)
{
    size_t line = row * region->nx;
    int32_t y = (int32_t)row;

    for (size_t c = start; c < stop; c++)
        if (region->map[line + c] == region->label && y >= region->first[c] &&
            y < region->stop[c])
            values[(c - start) * n_row + (size_t)(y - region->first[c])] =
                pixel_at(image, line + c);
}

void
ww_region_cut(const ww_region *region, const ww_image *image, int rounds,
              size_t n_row, double *values)
{
    for (size_t start = 0; start < region->nx;) {
        size_t stop = ww_region_block_stop(start, region->nx);
        size_t n = (stop - start) * n_row;
        ww_window window = ww_region_window(region, start, stop);
        double *block = values + start * n_row;

        for (size_t i = 0; i < n; i++)
            block[i] = NAN;
        for (size_t y = window.row_start; y < window.row_stop; y++)
            cut_row(region, image, y, start, stop, n_row, block);
        if (rounds)
            round_values(block, n);
        start = stop;
    }
}

void
ww_image_gather(const ww_image *image, size_t nx, const ww_window *window,
                size_t stride, double *values)
{
    size_t width = window->column_stop - window->column_start;

    for (size_t y = window->row_start; y < window->row_stop; y++) {
        size_t line = y * nx + window->column_start;
        double *row = values + (y - window->row_start);

        if (image->is_float)
            for (size_t c = 0; c < width; c++)
                row[c * stride] =
                    (double)((const float *)image->pixels)[line + c];
        else
            for (size_t c = 0; c < width; c++)
                row[c * stride] = ((const double *)image->pixels)[line + c];
    }
}

void
ww_image_scatter(const ww_output_image *image, size_t nx,
                 const ww_window *window, size_t stride, const size_t *first,
                 const size_t *stop, const double *values)
{
    size_t width = window->column_stop - window->column_start;

    if (image->pixels == NULL)
        return;
    for (size_t y = window->row_start; y < window->row_stop; y++) {
        size_t line = y * nx + window->column_start;
        const double *row = values + (y - window->row_start);

        for (size_t c = 0; c < width; c++) {
            double value = row[c * stride];

            if (first == NULL ? isnan(value) : y < first[c] || y >= stop[c])
                continue;
            if (image->is_float)
                ((float *)image->pixels)[line + c] = (float)value;
            else
                ((double *)image->pixels)[line + c] = value;
        }
    }
}

/* Reorder so that the k-th smallest of n is at k, all before it are no larger
 * and all after it no smaller: quickselect, Hoare 1961. */
static void
select_kth(double *v, size_t n, size_t k)
{
    size_t low = 0, high = n - 1;

    while (low < high) {
        double pivot = v[low + (high - low) / 2];
        size_t i = low, j = high;

        for (;;) {
            double swap;

            while (v[i] < pivot)
                i++;
            while (v[j] > pivot)
                j--;
            if (i >= j)
                break;
            swap = v[i];
            v[i++] = v[j];
            v[j--] = swap;
        }
        /* v[low .. i-1] <= pivot <= v[j+1 .. high]; i is j or j + 1. */
        if (k <= j)
            high = j;
        else if (k >= i && i > low)
            low = i;
        else
            low = j + 1;
    }
}

double
ww_median(double *values, size_t n, int rounds)
{
    size_t k = n / 2;
    double upper, lower, sum;

    select_kth(values, n, k);
    upper = values[k];
    if (n % 2)
        return upper;
    lower = values[0];
    for (size_t i = 1; i < k; i++)
        if (values[i] > lower)
            lower = values[i];
    sum = lower + upper;
    return rounds ? (double)((float)sum / 2.0f) : sum / 2.0;
}

static double
coordinate_at(const ww_image *alpha, size_t place, int rounds)
{
    double value = pixel_at(alpha, place);

    return rounds ? (double)(float)value : value;
}

/* Extend the extent by a block of columns; the steps that it has are added to
 * the n that are in scratch. Returns their new number. */
static size_t
measure_block(const ww_region *region, const ww_image *alpha, int rounds,
              const ww_window *window, ww_region_extent *extent,
              double *scratch, size_t n)
{
    size_t nx = region->nx;

    for (size_t y = window->row_start; y < window->row_stop; y++)
        for (size_t x = window->column_start; x < window->column_stop; x++) {
            size_t place = y * nx + x;
            double here, step;

            if (region->map[place] != region->label)
                continue;
            here = coordinate_at(alpha, place, rounds);
            if (!isfinite(here))
                continue;
            if (!(here >= extent->lower))
                extent->lower = here;
            if (!(here <= extent->upper))
                extent->upper = here;
            if (y == 0 || region->map[place - nx] != region->label)
                continue;
            step = here - coordinate_at(alpha, place - nx, rounds);
            if (isfinite(step))
                scratch[n++] = rounds ? (double)(float)step : step;
        }
    return n;
}

ww_region_extent
ww_region_measure(const ww_region *region, const ww_image *alpha, int rounds,
                  double *scratch)
{
    ww_region_extent extent = {NAN, NAN, NAN};
    size_t n = 0;

    for (size_t c = 0; c < region->nx;) {
        size_t stop = ww_region_block_stop(c, region->nx);
        ww_window window = ww_region_window(region, c, stop);

        n = measure_block(region, alpha, rounds, &window, &extent, scratch, n);
        c = stop;
    }
    if (n > 0)
        extent.pixel_size = fabs(ww_median(scratch, n, rounds));
    return extent;
}
