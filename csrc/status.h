/* Status codes shared by every kernel. */
#ifndef WW_STATUS_H
#define WW_STATUS_H

/* Functions return WW_OK, or one of the negative codes below. */
enum {
    WW_OK = 0,
    WW_ERR_NOMEM = -1,   /* a scratch allocation failed */
    WW_ERR_SHAPE = -2,   /* an array is empty or too small for the method */
    WW_ERR_RANGE = -3,   /* a row or column range lies outside its array */
    WW_ERR_ARGUMENT = -4 /* an option has no meaning here */
};

/* The meaning of a status code: a static English phrase without a full stop.
 * Never NULL; unknown codes have a phrase of their own. Re-entrant. */
const char *
ww_strerror(int status);

#endif
