/* The covariance of a combination of resampled exposures.
 *
 * A cell a of the combination is the weighted mean
 *
 *     d_a = sum over all exposures and pixels j of m_aj d_j,
 *     m_aj = s g_aj / W_a,
 *
 * with the matrix g of resampling_matrix.h, the sum W of the weights of all
 * exposures, and a scale s for the values of an exposure. The pixels are
 * independent, with variances v_j; so the covariance of two cells is
 *
 *     C_ab = sum over j of m_aj m_bj v_j
 *
 * exactly. Every exposure adds its pixels to the same outputs.
 *
 * C is kept for the cells at an offset b = a + (dy, dx) with dy > 0, or
 * dy == 0 and dx >= 0 (the others follow from the symmetry), up to a reach
 * dy <= reach_y and |dx| <= reach_x. Offsets are numbered
 *
 *     dy * (2 * reach_x + 1) + dx,
 *
 * that is, row by row: (0, 0), (0, 1) ... (0, reach_x), (1, -reach_x) ...
 * There are reach_y * (2 * reach_x + 1) + reach_x + 1 of them.
 *
 * Arrays are name[ny][nx], C-contiguous. Re-entrant; calls may run side by
 * side on the same output as long as their ranges of cells do not overlap.
 * The caller owns all memory.
 */
#ifndef WW_COVARIANCE_H
#define WW_COVARIANCE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* Compressed sparse rows; what is asked of them is checked. */
typedef struct {
    size_t ny, nx;        /* shape of the grid; at most 2^31 - 1 cells */
    size_t n_pixel;       /* at least 1 */
    size_t n_entry;       /* length of cell and g */
    const int64_t *first; /* [n_pixel + 1] from 0 to n_entry, in ascending
                             order: pixel j has the entries first[j] to
                             first[j + 1] - 1 */
    const int32_t *cell;  /* [n_entry] index row * nx + column, strictly
                             ascending within a pixel */
    const double *g;      /* [n_entry]; the reach is found without */
} ww_covariance_matrix;

typedef struct {
    double scale;          /* s */
    const double *weight;  /* [ny][nx] W; m is 0 where it is 0 */
    const uint8_t *keep;   /* [ny][nx] m is 0 where it is 0; or NULL */
    size_t n_plane;        /* kinds of variance, at least 1 */
    const float *variance; /* [n_plane][n_pixel] v */
    const double *taper;   /* [reach_y + 1][reach_x + 1] t_ab at |dy|, |dx|; or
                              NULL for 1: the plain row sum */
} ww_covariance_input;

typedef struct {
    size_t reach_y, reach_x;
    double *row_sum;    /* [n_plane][ny][nx] sum over all b of t_ab C_ab */
    double *diagonal;   /* [n_plane][ny][nx] C_aa */
    double *covariance; /* [n_offset][ny][nx] C_ab of the sum of all planes,
                           at its cell a */
} ww_covariance_output;

/* The largest |dy| and |dx| between two cells of one pixel: with this reach,
 * nothing of C is lost. Both are 0 if no pixel hits more than one cell.
 *
 * Returns WW_OK; WW_ERR_SHAPE if a dimension or n_pixel is 0 or the grid is
 * too large; WW_ERR_RANGE if first or cell break their rules. After an error
 * the reach is undefined.
 */
int
ww_covariance_reach(const ww_covariance_matrix *matrix, size_t *reach_y,
                    size_t *reach_x);

/* Add one exposure to the cells [cell_start, cell_stop) of the outputs.
 *
 * The order of the additions to a cell is that of the pixels, and no number
 * depends on the range: results are the same bit for bit for any number of
 * threads. A variance that is not finite spoils the cells with m_aj != 0 of
 * its pixel: the row sum and the diagonal of its plane, and the covariance of
 * each two of them. Where m_aj is 0, nothing is added.
 *
 * Returns WW_OK; WW_ERR_SHAPE as above, or if n_plane is 0; WW_ERR_RANGE as
 * above, or if cell_start > cell_stop or cell_stop > ny * nx;
 * WW_ERR_ARGUMENT if a pixel with a cell in the range needs a longer reach;
 * WW_ERR_NOMEM. After an error the outputs are untouched.
 */
int
ww_covariance_add(const ww_covariance_matrix *matrix,
                  const ww_covariance_input *in,
                  const ww_covariance_output *out, size_t cell_start,
                  size_t cell_stop);

#endif
