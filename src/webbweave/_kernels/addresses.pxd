# Addresses of arrays, as the structs of the kernels take them.
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer

from webbweave._kernels.checks import check_array


cdef inline void *address(name, array, dtype, shape, bint writable=False,
                          bint may_be_empty=False) except? NULL:
    """Check an array, which the caller keeps alive; NULL for None."""
    cdef Py_buffer buffer
    if array is None:
        return NULL
    check_array(name, array, dtype, shape, writable=writable, may_be_empty=may_be_empty)
    PyObject_GetBuffer(array, &buffer, PyBUF_SIMPLE)
    PyBuffer_Release(&buffer)
    return buffer.buf
