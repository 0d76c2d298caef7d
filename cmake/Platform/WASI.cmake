# What CMake asks of a system it does not know: WASI has no shared libraries.
set(WASI 1)
set_property(GLOBAL PROPERTY TARGET_SUPPORTS_SHARED_LIBS FALSE)
