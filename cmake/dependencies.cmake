# What a build needs, by pkg-config; tools/deps installs it. docs/dependencies.md says why each.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
pkg_check_modules(libuv REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(libcurl REQUIRED IMPORTED_TARGET libcurl>=7.88)
pkg_check_modules(openssl REQUIRED IMPORTED_TARGET openssl>=3.0)
pkg_check_modules(sqlite3 REQUIRED IMPORTED_TARGET sqlite3>=3.40)
pkg_check_modules(jansson REQUIRED IMPORTED_TARGET jansson>=2.13)
pkg_check_modules(inih REQUIRED IMPORTED_TARGET inih)

# llhttp comes as sources (Debian's node-llhttp) and is compiled here, never copied into the tree.
find_path(LLHTTP_SOURCE llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH)
find_path(LLHTTP_INCLUDE llhttp.h PATHS /usr/share/include/llhttp NO_DEFAULT_PATH)
if(NOT LLHTTP_SOURCE OR NOT LLHTTP_INCLUDE)
	message(FATAL_ERROR "llhttp's sources were not found; run tools/deps, or install the package node-llhttp")
endif()
add_library(llhttp STATIC ${LLHTTP_SOURCE}/api.c ${LLHTTP_SOURCE}/http.c ${LLHTTP_SOURCE}/llhttp.c)
target_include_directories(llhttp SYSTEM PUBLIC ${LLHTTP_INCLUDE})

# The console's charts: dygraphs as Debian's libjs-dygraphs has it, embedded from there, never copied
# into the tree. gzip makes the smaller form of what the program serves.
find_path(DYGRAPHS dygraph.min.js PATHS /usr/share/javascript/dygraphs NO_DEFAULT_PATH)
if(NOT DYGRAPHS)
	message(FATAL_ERROR "dygraphs was not found; run tools/deps, or install the package libjs-dygraphs")
endif()
find_program(GZIP gzip REQUIRED)
