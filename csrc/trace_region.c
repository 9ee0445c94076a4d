#include "trace_region.h"

#include <math.h>
#include <string.h>

#include "median.h"

enum { N_CHUNK = 64 /* labels that are looked at together */ };

/* Are all of n numbers the same as one? */
static int
are_all(const int32_t *number, size_t n, int32_t one)
{
    int32_t bits = 0;

    for (size_t i = 0; i < n; i++)
        bits |= number[i] ^ one;
    return bits == 0;
}

int32_t
ww_region_labels(const int32_t *map, size_t n, uint8_t *present,
                 size_t n_label)
{
    int32_t largest = 0, last = -1;

    for (size_t start = 0, stop; start < n; start = stop) {
        stop = n - start < N_CHUNK ? n : start + N_CHUNK;
        if (are_all(map + start, stop - start, last)) /* as most are */
            continue;
        for (size_t i = start; i < stop; i++) {
            last = map[i];
            largest = last > largest ? last : largest;
            if (last >= 0 && (size_t)last < n_label)
                present[last] = 1;
        }
    }
    return largest;
}

/* Add a row to the columns from start to end; rows come in order. */
static void
extend_rows(int32_t *first, int32_t *stop, size_t start, size_t end, int32_t y)
{
    for (size_t x = start; x < end; x++) {
        first[x] = stop[x] == 0 ? y : first[x];
        stop[x] = y + 1;
    }
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
    for (size_t y = 0; y < ny; y++) {
        const int32_t *row = map + y * nx;

        for (size_t x = 0, end; x < nx; x = end) {
            int32_t label = row[x];

            for (end = x + 1; end < nx && row[end] == label; end++)
                ;
            if (label < 0 || (size_t)label >= n_label || index[label] < 0)
                continue;
            extend_rows(first + (size_t)index[label] * nx,
                        stop + (size_t)index[label] * nx, x, end, (int32_t)y);
        }
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

/* Is a pixel of the image in the region, in a row that the region has there? */
static int
is_own(const ww_region *region, size_t row, size_t column)
{
    int32_t y = (int32_t)row;

    return region->map[row * region->nx + column] == region->label &&
           y >= region->first[column] && y < region->stop[column];
}

/* The pixels of a row of a block, to where they are in their columns; values
 * is that of the first column. */
static void
cut_row(const ww_region *region, const ww_image *image, size_t row,
        size_t start, size_t stop, size_t n_row, double *values)
{
    const float *floats = image->is_float ? image->pixels : NULL;
    const double *doubles = image->is_float ? NULL : image->pixels;
    size_t line = row * region->nx;

    for (size_t c = start; c < stop; c++, values += n_row)
        if (is_own(region, row, c))
            values[row - (size_t)region->first[c]] =
                floats ? (double)floats[line + c] : doubles[line + c];
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

/* Extend the range to the finite ones of n values. */
static void
extend_range(const double *value, size_t n, ww_coordinate_extent *extent)
{
    double lower = extent->lower, upper = extent->upper;

    for (size_t i = 0; i < n; i++) {
        double low = value[i] > -INFINITY ? value[i] : INFINITY;
        double high = value[i] < INFINITY ? value[i] : -INFINITY;

        lower = low < lower ? low : lower;
        upper = high > upper ? high : upper;
    }
    extent->lower = lower;
    extent->upper = upper;
}

ww_coordinate_extent
ww_extent_of(const double *alpha, size_t n_column, size_t n_row, int rounds,
             double *scratch)
{
    ww_coordinate_extent extent = {NAN, INFINITY, -INFINITY};
    size_t n = 0;

    extend_range(alpha, n_column * n_row, &extent);
    if (extent.lower > extent.upper)
        extent.lower = extent.upper = NAN;
    for (size_t c = 0; c < n_column; c++) {
        const double *column = alpha + c * n_row;

        for (size_t r = 1; r < n_row; r++) {
            double step = column[r] - column[r - 1];

            scratch[n] = rounds ? (double)(float)step : step;
            n += (size_t)(isfinite(step) != 0);
        }
    }
    if (n > 0)
        extent.pixel_size = fabs(ww_median(scratch, n, rounds));
    return extent;
}
