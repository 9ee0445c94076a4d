/* The histogram of the offsets of all pairs of points of two catalogues.
 *
 * A pair of an image point and a reference point counts if both components of
 *
 *     d = (image - reference) / bin
 *
 * lie in [-reach, reach). It counts in the cell floor(d + size / 2) of a
 * square of size x size cells whose middle, an odd size, stands for d = 0:
 * cell k is centred on the offset (k - (size - 1) / 2) * bin. The edge between
 * two cells belongs to the upper one.
 *
 * No list of pairs is made: memory is that of the points and the cells.
 * Arrays are C-contiguous. Re-entrant. The caller owns all memory.
 */
#ifndef WW_OFFSET_HISTOGRAM_H
#define WW_OFFSET_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

typedef struct {
    size_t n_ref;        /* may be 0 */
    const double *ref_x; /* [n_ref] positions; those not finite are left out */
    const double *ref_y; /* [n_ref] */
    size_t n_img;        /* may be 0 */
    const double *img_x; /* [n_img], as ref_x */
    const double *img_y; /* [n_img] */
    double bin;          /* width of a cell in units of the positions */
    double reach;        /* in cells, above 0, at most size / 2 */
    size_t size;         /* cells along each axis; odd, below 2^31 */
} ww_offset_pairs;

/* Add the pairs with the reference points [ref_start, ref_stop) to count.
 *
 * count: [size][size], row by offset along y.
 *
 * Returns WW_OK; WW_ERR_SHAPE if size is even or too large; WW_ERR_RANGE if ref_start >
 * ref_stop, ref_stop > n_ref, or a cell could count 2^32 pairs in this call:
 * give fewer reference points at a time; WW_ERR_ARGUMENT if bin is not above 0
 * or reach not in (0, size / 2]; WW_ERR_NOMEM. After an error count is as
 * before.
 */
int
ww_offset_histogram(const ww_offset_pairs *pairs, size_t ref_start,
                    size_t ref_stop, uint32_t *count);

#endif
