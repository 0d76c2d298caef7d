# WebAssembly with WASI, compiled by clang against Debian's wasi-libc; no threads, no mmap. Tests run under node.
set(CMAKE_SYSTEM_NAME WASI)
set(CMAKE_SYSTEM_PROCESSOR wasm32)
list(APPEND CMAKE_MODULE_PATH ${CMAKE_CURRENT_LIST_DIR})         # Platform/WASI.cmake
find_program(BORN_WASM_CLANG NAMES clang-14 clang-15 clang-16 clang REQUIRED)
set(CMAKE_C_COMPILER ${BORN_WASM_CLANG})
set(CMAKE_C_COMPILER_TARGET wasm32-wasi)
set(CMAKE_C_COMPILER_WORKS 1)
set(CMAKE_EXE_LINKER_FLAGS_INIT "-Wl,-z,stack-size=1048576 -Wl,--max-memory=4294967296")
find_program(BORN_NODE node)
if(BORN_NODE)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${BORN_NODE} --no-warnings ${CMAKE_CURRENT_LIST_DIR}/wasi_run.mjs)
endif()
