"""Bindings of the C kernels; private: the topic modules are the interface."""
