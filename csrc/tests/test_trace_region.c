#undef NDEBUG
#include <assert.h>
#include <math.h>
#include <string.h>

#include "trace_region.h"

enum { NY = 6, NX = 20, LABEL = 7 };

/* A region of rows 1 to 4, one down in the right half, with a hole. */
static void
set_map(int32_t *map)
{
    for (int y = 0; y < NY; y++)
        for (int x = 0; x < NX; x++) {
            int top = x < NX / 2 ? 1 : 2;

            map[y * NX + x] = y >= top && y < top + 3 ? LABEL : 0;
        }
    map[2 * NX + 3] = 2;
}

static ww_region
make_region(int32_t *map, int32_t *first, int32_t *stop)
{
    ww_region region = {NY, NX, map, LABEL, first, stop};
    int32_t index[LABEL + 1];

    set_map(map);
    for (int i = 0; i <= LABEL; i++)
        index[i] = i == LABEL ? 0 : -1;
    assert(ww_region_rows(map, NY, NX, index, LABEL + 1, 1, first, stop) ==
           WW_OK);
    return region;
}

static void
test_labels(void)
{
    int32_t map[6] = {-3, 0, 2, 5, 2, 900};
    uint8_t present[6] = {0};

    assert(ww_region_labels(map, 6, present, 6) == 900);
    assert(present[2] && present[5] && present[0] && !present[1]);
    assert(ww_region_labels(map, 1, present, 6) == 0);
    assert(ww_region_labels(map, 0, present, 0) == 0);
}

/* One label that stands out, anywhere among many that do not. */
static void
test_labels_in_runs(void)
{
    int32_t map[200];

    for (size_t n = 1; n <= 200; n += 7)
        for (size_t place = 0; place < n; place++) {
            uint8_t present[4] = {0};

            for (size_t i = 0; i < n; i++)
                map[i] = i == place ? 3 : 1;
            assert(ww_region_labels(map, n, present, 4) == 3);
            assert(present[3] && present[1] == (n > 1));
            assert(!present[0] && !present[2]);
        }
}

static void
test_rows(void)
{
    int32_t map[NY * NX], first[NX], stop[NX], index[1] = {1};
    ww_region region = make_region(map, first, stop);

    assert(first[0] == 1 && stop[0] == 4);
    assert(first[3] == 1 && stop[3] == 4); /* across the hole */
    assert(first[NX - 1] == 2 && stop[NX - 1] == 5);
    assert(ww_region_is_valid(&region, 0, NX));
    assert(!ww_region_is_valid(&region, 0, NX + 1));
    assert(!ww_region_is_valid(&region, 3, 2));
    stop[4] = NY + 1;
    assert(!ww_region_is_valid(&region, 0, NX));
    assert(ww_region_is_valid(&region, 5, NX));
    first[4] = stop[4]; /* no rows at all: never looked at */
    assert(ww_region_is_valid(&region, 0, NX));
    assert(ww_region_rows(map, NY, NX, index, 1, 1, first, stop) ==
           WW_ERR_RANGE);
}

static void
test_window(void)
{
    int32_t map[NY * NX], first[NX], stop[NX];
    ww_region region = make_region(map, first, stop);
    ww_window window = ww_region_window(&region, 0, NX);

    assert(window.row_start == 1 && window.row_stop == 5);
    window = ww_region_window(&region, 15, NX);
    assert(window.row_start == 2 && window.row_stop == 5);
    window = ww_region_window(&region, 4, 4);
    assert(window.row_start == 0 && window.row_stop == 0);
    assert(ww_region_block_stop(0, NX) == 16);
    assert(ww_region_block_stop(16, NX) == NX);
    assert(ww_region_block_stop(5, 9) == 9);
    assert(ww_region_tallest(&region, 0, NX) == 4);
    assert(ww_region_tallest(&region, 16, NX) == 3);
}

/* Out of the image and back again, from float and double. */
static void
test_gather_and_scatter(void)
{
    int32_t map[NY * NX], first[NX], stop[NX];
    float floats[NY * NX], back[NY * NX];
    double doubles[NY * NX], values[NX * NY], plain[NX * NY];
    ww_region region = make_region(map, first, stop);
    ww_window window = ww_region_window(&region, 0, NX);
    ww_image single = {floats, 1}, precise = {doubles, 0};
    ww_output_image out = {back, 1}, nowhere = {NULL, 0};
    size_t from[NX], to[NX];

    for (int i = 0; i < NY * NX; i++) {
        doubles[i] = 0.1 * i;
        floats[i] = (float)doubles[i];
        back[i] = -1.0f;
    }
    ww_region_gather(&region, &single, 0, &window, NY, values);
    assert(isnan(values[3 * NY + 1])); /* the hole: row 2 of column 3 */
    assert(values[3 * NY] == (double)floats[NX + 3]);
    assert(isnan(values[0 * NY + 3]) && !isnan(values[19 * NY + 3]));
    ww_image_scatter(&nowhere, NX, &window, NY, NULL, NULL, values);
    ww_image_scatter(&out, NX, &window, NY, NULL, NULL, values);
    for (int i = 0; i < NY * NX; i++)
        assert(back[i] == (map[i] == LABEL ? floats[i] : -1.0f));
    for (int x = 0; x < NX; x++)
        from[x] = 2, to[x] = 3;
    ww_image_scatter(&out, NX, &window, NY, from, to, values);
    assert(isnan(back[2 * NX + 3])); /* NaN too, where it is asked for */
    ww_region_gather(&region, &precise, 1, &window, NY, plain);
    assert(plain[5 * NY] == (double)(float)doubles[NX + 5]);
    ww_region_gather(&region, &precise, 0, &window, NY, plain);
    assert(plain[5 * NY] == doubles[NX + 5]);
    ww_image_gather(&precise, NX, &window, NY, plain);
    assert(plain[3 * NY + 1] == doubles[2 * NX + 3]); /* as they are */
}

static void
test_cut(void)
{
    int32_t map[NY * NX], first[NX], stop[NX];
    double doubles[NY * NX], values[NX * NY];
    float floats[NY * NX];
    ww_region region = make_region(map, first, stop);
    ww_image single = {floats, 1}, precise = {doubles, 0};
    size_t height = ww_region_height(&region);

    for (int i = 0; i < NY * NX; i++)
        floats[i] = (float)(doubles[i] = 0.1 * i);
    assert(height > 1 && height <= NY);
    for (size_t n_row = height; n_row <= NY; n_row++) {
        ww_region_cut(&region, &precise, 0, n_row, values);
        for (size_t x = 0; x < NX; x++)
            for (size_t r = 0; r < n_row; r++) {
                size_t y = (size_t)first[x] + r;
                double found = values[x * n_row + r];

                if (y < NY && map[y * NX + x] == LABEL)
                    assert(found == doubles[y * NX + x]);
                else
                    assert(isnan(found));
            }
    }
    ww_region_cut(&region, &precise, 1, height, values);
    assert(values[5 * height] == (double)floats[(size_t)first[5] * NX + 5]);
    ww_region_cut(&region, &single, 0, height, values);
    assert(values[5 * height] == (double)floats[(size_t)first[5] * NX + 5]);
    first[4] = stop[4]; /* as if it were not there */
    first[5] += 1;
    ww_region_cut(&region, &precise, 0, height, values);
    for (size_t r = 0; r < height; r++)
        assert(isnan(values[4 * height + r]));
    assert(values[5 * height] == doubles[(size_t)first[5] * NX + 5]);
    for (size_t x = 0; x < NX; x++)
        first[x] = stop[x] = 0;
    assert(ww_region_height(&region) == 0);
    ww_region_cut(&region, &single, 0, 1, values);
    assert(isnan(values[0]) && isnan(values[NX - 1]));
}

/* Columns with different steps, of which most are 0.5, and what is left out. */
static void
test_extent(void)
{
    double alpha[NX * NY], scratch[NX * NY];
    ww_coordinate_extent extent;

    for (int c = 0; c < NX; c++)
        for (int r = 0; r < NY; r++)
            alpha[c * NY + r] = 0.5 * r * (c == 0 ? 3.0 : 1.0) - 2.0;
    alpha[NY + 1] = NAN;
    alpha[2 * NY + 1] = INFINITY;
    alpha[3 * NY + 1] = -INFINITY;
    extent = ww_extent_of(alpha, NX, NY, 0, scratch);
    assert(extent.pixel_size == 0.5);
    assert(extent.lower == -2.0 && extent.upper == 1.5 * (NY - 1) - 2.0);
    for (int i = 0; i < NX * NY; i++)
        alpha[i] = (double)(-0.1f * (float)(i % NY));
    extent = ww_extent_of(alpha, NX, NY, 1, scratch);
    assert(extent.pixel_size == (double)(float)extent.pixel_size);
    assert(fabs(extent.pixel_size - 0.1) < 1e-7 && extent.upper == 0.0);
    for (int i = 0; i < NX * NY; i++)
        alpha[i] = i % NY ? NAN : 1.0; /* values, but no step */
    extent = ww_extent_of(alpha, NX, NY, 0, scratch);
    assert(isnan(extent.pixel_size) && extent.lower == 1.0);
    for (int i = 0; i < NX * NY; i++)
        alpha[i] = i % 2 ? NAN : INFINITY;
    extent = ww_extent_of(alpha, NX, NY, 0, scratch);
    assert(isnan(extent.pixel_size) && isnan(extent.lower));
    assert(isnan(extent.upper));
}

int
main(void)
{
    test_labels();
    test_labels_in_runs();
    test_rows();
    test_window();
    test_gather_and_scatter();
    test_cut();
    test_extent();
    return 0;
}
