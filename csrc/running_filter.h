/* Running maximum and order statistics of a sequence.
 *
 * The window of sample i is [i - width / 2, i - width / 2 + width); before the
 * first sample and after the last one the sequence goes on as in a mirror
 * (... 1 0 | 0 1 ... n-1 | n-1 n-2 ...), as often as it needs to. The time does
 * not grow with the width, but for maxima of sequences shorter than it.
 *
 * No value is NaN. Re-entrant.
 */
#ifndef WW_RUNNING_FILTER_H
#define WW_RUNNING_FILTER_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

/* out[i] is the largest of the values in the window of i.
 *
 * Returns WW_OK; WW_ERR_ARGUMENT if width is 0 or too large; WW_ERR_NOMEM. */
int
ww_running_maximum(const double *value, size_t n, size_t width, double *out);

/* out[k][i] is the value with exactly rank[k] others before it in the window of
 * i put in order; 0 is the least.
 *
 * place: [n] where each sample is among all of them in order, each of 0 .. n - 1
 * once. ascending: [n] these in order. out: [n_rank][n].
 *
 * Returns WW_OK; WW_ERR_ARGUMENT if width is 0 or too large; WW_ERR_RANGE if a
 * rank is not below width, or a place not below n; WW_ERR_NOMEM. */
int
ww_running_ranks(const int32_t *place, const double *ascending, size_t n,
                 size_t width, const size_t *rank, size_t n_rank, double *out);

#endif
