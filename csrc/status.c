#include "status.h"

const char *
ww_strerror(int status)
{
    switch (status) {
    case WW_OK:
        return "success";
    case WW_ERR_NOMEM:
        return "not enough memory for scratch space";
    case WW_ERR_SHAPE:
        return "an array is empty or too small";
    case WW_ERR_RANGE:
        return "a range lies outside its array";
    case WW_ERR_ARGUMENT:
        return "an option has an invalid value";
    default:
        return "unknown status code";
    }
}
