# What the status that a kernel returns means in Python.


cdef extern from "status.h" nogil:
    enum:
        WW_OK, WW_ERR_NOMEM, WW_ERR_RANGE

    const char *ww_strerror(int status)


cdef inline int raise_status(int status, out_of_range=None, wrong=None) except -1:
    """Raise unless it is WW_OK; the texts are for what the caller knows better than the kernel."""
    if status == WW_OK:
        return 0
    text = ww_strerror(status).decode()
    if status == WW_ERR_NOMEM:
        raise MemoryError(text)
    if status == WW_ERR_RANGE:
        raise IndexError(out_of_range or text)
    raise ValueError(wrong or text)
