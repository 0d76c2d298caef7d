# Flags of every target, as the interface target born_flags; ISA levels of the kernels.
set(CMAKE_C_STANDARD 17)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

find_program(BORN_CCACHE ccache)
if(BORN_CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
    set(CMAKE_C_COMPILER_LAUNCHER ${BORN_CCACHE})
    set(CMAKE_CXX_COMPILER_LAUNCHER ${BORN_CCACHE})
endif()

# No debug information in a release: the same sources give the same bytes wherever they are built.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g0 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")
if(BORN_SANITIZE)
    set(CMAKE_C_FLAGS_DEBUG "-O1 -g1")      # lines suffice for a report
endif()

add_library(born_flags INTERFACE)
# The law of bits: no contraction. The two -fno-...-math flags change no value, only errno and exception flags.
# Buffers are bytes that kernels read as many types, hence no strict aliasing.
target_compile_options(born_flags INTERFACE
    -ffp-contract=off -fno-math-errno -fno-trapping-math -fno-strict-aliasing
    -fvisibility=hidden -ffunction-sections -fdata-sections
    -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wvla
    $<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes>)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(born_flags INTERFACE -fno-semantic-interposition)
endif()
if(BORN_WERROR)
    target_compile_options(born_flags INTERFACE -Werror)
endif()
if(BORN_SANITIZE)
    target_compile_options(born_flags INTERFACE -fsanitize=${BORN_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    target_link_options(born_flags INTERFACE -fsanitize=${BORN_SANITIZE})
    find_program(BORN_LLD ld.lld-14)
    if(BORN_LLD AND CMAKE_C_COMPILER_ID STREQUAL "Clang")
        target_link_options(born_flags INTERFACE -fuse-ld=lld)      # large programs, and a hundred of them
    endif()
elseif(NOT CMAKE_SYSTEM_NAME STREQUAL "WASI")
    target_compile_options(born_flags INTERFACE $<$<CONFIG:Release>:-fstack-protector-strong>)
    # nothing unwinds C here; the tables are 5% of the binary
    target_compile_options(born_flags INTERFACE $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:C>>:-fno-asynchronous-unwind-tables>
        $<$<AND:$<CONFIG:Release>,$<COMPILE_LANGUAGE:C>>:-fno-unwind-tables>)
    target_compile_definitions(born_flags INTERFACE $<$<CONFIG:Release>:_FORTIFY_SOURCE=2>)
endif()
# 32-bit systems: files above 2 GiB, and folders whose entries have 64-bit numbers
target_compile_definitions(born_flags INTERFACE _FILE_OFFSET_BITS=64)
target_include_directories(born_flags INTERFACE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)

if(CMAKE_SYSTEM_NAME STREQUAL "WASI")
    set(CMAKE_EXECUTABLE_SUFFIX .wasm)
    target_compile_options(born_flags INTERFACE -Wno-pass-failed)      # no vectors there for loops that ask for them
endif()
set(CMAKE_THREAD_PREFER_PTHREAD ON)
if(NOT CMAKE_SYSTEM_NAME STREQUAL "WASI")
    set(THREADS_PREFER_PTHREAD_FLAG ON)
    find_package(Threads REQUIRED)
    set(BORN_LINK_LIBRARIES m Threads::Threads)
    set(BORN_PC_LIBS "-lm -pthread")
else()
    set(BORN_LINK_LIBRARIES m)
    set(BORN_PC_LIBS "-lm")
endif()

# Levels in order, and what the compiler is told for each. A level is compiled only here, never detected by -march.
set(BORN_LEVELS scalar)
# Levels that only add integer dot products: they have the kernels of src/cpu/quant alone (cpu/levels.h).
set(BORN_DOT_LEVELS avx512vnni)
set(BORN_LEVEL_FLAGS_scalar "")
string(TOLOWER "${CMAKE_SYSTEM_PROCESSOR}" BORN_PROCESSOR)
if(BORN_PROCESSOR MATCHES "^(x86_64|amd64)$" AND CMAKE_SIZEOF_VOID_P EQUAL 8)
    list(APPEND BORN_LEVELS avx2 avx512 avx512vnni)
    set(BORN_LEVEL_FLAGS_avx2 -mavx2 -mfma -mf16c)
    set(BORN_LEVEL_FLAGS_avx512 -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma -mf16c -mprefer-vector-width=512)
    set(BORN_LEVEL_FLAGS_avx512vnni ${BORN_LEVEL_FLAGS_avx512} -mavx512vnni)
elseif(BORN_PROCESSOR MATCHES "^(aarch64|arm64)$")
    list(APPEND BORN_LEVELS neon)
    set(BORN_LEVEL_FLAGS_neon -march=armv8-a)
endif()
